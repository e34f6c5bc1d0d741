using StartMethods.Channels;
using StartMethods.ForkServers;
using StartMethods.Spawning;

namespace StartMethods;

// Children forked ahead. They are asked for when one was taken, and the server hears nothing of their being handed over: the application does that itself.
public sealed partial class ForkServer
{
    /// <summary>How many spare children wait now.</summary>
    internal int IdleSpares => Count(static state => state.Spares.Idle);

    private int Count(Func<ServerState, int> waiting)
    {
        ServerState state = State;
        lock (state.Gate)
            return waiting(state);
    }

    private ProcessLifetime? HandOver(ChildLaunch launch)
    {
        if (_spareChildren == 0)
            return null;
        ServerState state = State;
        bool suits = SpareCircumstances.Suit(launch.Options);
        FrameContent? circumstances = null;
        while (true)
        {
            SpareChild? spare;
            lock (state.Gate)
                spare = state.Spares.TryTake();
            if (spare is null)
            {
                circumstances?.Sent!();
                return null;
            }
            bool isTold;
            try
            {
                isTold = spare.TryTell(launch);
                if (isTold && !(suits && spare.Given.Hold()))
                    circumstances ??= Assignment.Compose(launch);
                isTold = isTold && spare.TryComplete(launch, circumstances);
            }
            catch
            {
                spare.Close(); // it may have been told half of it, and the server may have been refreshed meanwhile
                OrderSparesSoon(state);
                circumstances?.Sent!();
                throw;
            }
            OrderSparesSoon(state);
            if (isTold)
                return spare.Process;
            spare.Close();
        }
    }

    // Not at once: forking the next child would take the processors from the one that was just handed over.
    private void OrderSparesSoon(ServerState state)
    {
        try
        {
            lock (state.Gate)
            {
                if (!state.IsEnded)
                    (state.Refill ??= new Alarm(OrderSpares)).Set(RefillPause);
            }
        }
        catch (StartMethodException)
        {
            // No descriptors left for a timer: the next one that is taken tries again. A start is not lost for it.
        }
    }

    private const int RefillPause = 3;

    /// <summary>Asks the server for as many spare children as are missing. Waits for nothing; without a server there are none.</summary>
    private void OrderSpares()
    {
        if (_spareChildren == 0)
            return;
        ServerState state = State;
        ServerConnection? server;
        int orders, generation;
        lock (state.Gate)
        {
            server = state.Current;
            if (state.IsEnded || server is not { IsReady: true })
                return;
            (orders, generation) = (state.Spares.TakeOrders(), state.Spares.Generation);
        }
        for (int i = 0; i < orders; i++)
            OrderSpare(state, server, generation);
    }

    private static void OrderSpare(ServerState state, ServerConnection server, int generation)
    {
        SpareCircumstances given;
        ChildStreams? streams = null;
        FrameChannel channel;
        ChannelEnd end;
        try
        {
            given = state.SpareCircumstances();
            streams = new ChildStreams(ChildOptions.Defaults);
            (channel, end) = FrameChannel.CreatePair();
        }
        catch (StartMethodException)
        {
            // No descriptors left. Whoever starts a child next is told; a spare is not worth an error.
            streams?.Dispose();
            lock (state.Gate)
                state.Spares.Failed(generation);
            return;
        }
        using (end)
            server.Fork(isSpare: true, end.Socket!.Number, outcome => Arrived(state, outcome, channel, streams, given, generation));
    }

    private static void Arrived(ServerState state, RequestOutcome outcome, FrameChannel channel, ChildStreams streams, SpareCircumstances given, int generation)
    {
        if (outcome.Child is null)
        {
            channel.Dispose();
            streams.Dispose();
            lock (state.Gate)
                state.Spares.Failed(generation);
            return;
        }
        SpareChild? spare = null;
        try
        {
            spare = new SpareChild(outcome.Child, channel, streams, given);
        }
        catch (StartMethodException)
        {
            // It cannot be listened to: no more watches.
        }
        bool kept = false;
        lock (state.Gate)
        {
            if (spare is null)
                state.Spares.Failed(generation);
            else
                kept = state.Spares.Arrived(spare, generation);
        }
        if (kept)
            return;
        state.EndLate(outcome.Child, channel);
        streams.Dispose();
    }
}
