using StartMethods.Channels;
using StartMethods.ForkServers;
using StartMethods.Spawning;

namespace StartMethods;

// While starts follow one another, the next child is forked while the last one runs: a start need not wait for a fork then, and the server, which forks one child at a time, works
// when others would wait for it. Unlike a spare child it is told what to be and do as any other, so it costs nothing more; and it does not stay.
public sealed partial class ForkServer
{
    /// <summary>How many children wait that were forked because starts follow one another: one, or none.</summary>
    internal int IdleAhead => Count(static state => state.Ahead.Idle);

    // The circumstances are what the child is to be, once that was put together; null again when a child has it.
    private ProcessLifetime? TakeAhead(ChildLaunch launch, ref FrameContent? circumstances)
    {
        ServerState state = State;
        lock (state.Gate)
        {
            if (state.Ahead.Idle == 0)
                return null;
        }
        circumstances = Assignment.Compose(launch);
        ChildAhead? child;
        lock (state.Gate)
            child = state.Ahead.TryTake();
        bool isTold = false;
        try
        {
            isTold = child is not null && launch.TryTell(child.Channel, circumstances.Value);
        }
        finally
        {
            if (!isTold)
                child?.Close(); // it has died meanwhile
        }
        if (!isTold)
            return null;
        circumstances = null;
        launch.Take(child!.Channel);
        return child.Process;
    }

    // After the last one was told what to do: it is to run first.
    private void OrderAhead()
    {
        if (!_forksAhead)
            return;
        ServerState state = State;
        ServerConnection? server;
        int generation;
        lock (state.Gate)
        {
            server = state.Current;
            if (!state.Succession.Started() || state.IsEnded || server is not { MayForkAhead: true } || state.Ahead.TakeOrders() == 0)
                return;
            generation = state.Ahead.Generation;
        }
        FrameChannel channel;
        ChannelEnd end;
        try
        {
            (channel, end) = FrameChannel.CreatePair();
        }
        catch (StartMethodException)
        {
            // No descriptors left: who starts the next child is told.
            lock (state.Gate)
                state.Ahead.Failed(generation);
            return;
        }
        using (end)
            server.Fork(isSpare: false, end.Socket!.Number, outcome => ArrivedAhead(state, outcome, channel, generation));
    }

    private static void ArrivedAhead(ServerState state, RequestOutcome outcome, FrameChannel channel, int generation)
    {
        bool kept = false;
        lock (state.Gate)
        {
            if (outcome.Child is null || !WaitsForItsEnd(state))
                state.Ahead.Failed(generation);
            else
                kept = state.Ahead.Arrived(new ChildAhead(outcome.Child, channel), generation);
        }
        if (!kept)
            state.EndLate(outcome.Child, channel);
    }

    // Under the gate. A child that nobody takes must be ended by somebody.
    private static bool WaitsForItsEnd(ServerState state)
    {
        if (state.IsEnded || state.Expiry is not null)
            return !state.IsEnded;
        try
        {
            state.Expiry = new Alarm(() => Expire(state));
            state.Expiry.Set(Succession.Patience);
            return true;
        }
        catch (StartMethodException)
        {
            return false; // no descriptors left for a timer
        }
    }

    // The alarm looks again, instead of being set at each start, and goes when nobody waits.
    private static void Expire(ServerState state)
    {
        ChildAhead? unwanted = null;
        Alarm? over = null;
        lock (state.Gate)
        {
            TimeSpan left = state.Succession.Left;
            if (left <= TimeSpan.Zero)
                unwanted = state.Ahead.TryTake();
            if (state.Ahead.Idle > 0)
                state.Expiry?.Set(left);
            else
                (over, state.Expiry) = (state.Expiry, null);
        }
        over?.Dispose();
        unwanted?.Close();
    }
}
