using System.Diagnostics;
using System.Runtime.ExceptionServices;
using StartMethods.Channels;
using StartMethods.ForkServers;
using StartMethods.Payloads;
using StartMethods.Spawning;

namespace StartMethods;

// One start: a server, a child of it, and what the child is to be. A server that dies meanwhile is replaced and asked again, as long as it is certain
// that no child has come of the request; the job itself leaves only when there is a child.
public sealed partial class ForkServer
{
    /// <summary>What a wait of the framework can count: 24 days. Who waits longer waits for ever.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(int.MaxValue);

    private const int MostAttempts = 4, TryAgain = 11;

    /// <inheritdoc/>
    protected internal override SpawnedProcess Launch(ChildLaunch launch)
    {
        ArgumentNullException.ThrowIfNull(launch);
        ThrowIfUnusable();
        launch.EncodeJob(); // what cannot travel is said before anything is started
        if (RuntimeVerdict.Reason is not null)
            return launch.Start(launch.CreateSpawnInfo());
        FrameContent? circumstances = null;
        ProcessLifetime? child;
        try
        {
            child = HandOver(launch) ?? TakeAhead(launch, ref circumstances) ?? ForkOnDemand(launch, ref circumstances);
        }
        finally
        {
            circumstances?.Sent!(); // nobody has it
        }
        if (child is null)
            return launch.Start(launch.CreateSpawnInfo());
        Teach(launch.Function);
        OrderAhead();
        return new SpawnedProcess(child);
    }

    private ProcessLifetime? ForkOnDemand(ChildLaunch launch, ref FrameContent? circumstances)
    {
        launch.EncodeJob(); // once more, where a spare child has died with it
        FrameContent? composed = circumstances;
        try
        {
            // What the child is to be is put together while it is forked. It sees the end of its channel if that fails.
            ProcessLifetime? child = ForkChild(launch.End.Socket!.Number, launch.Options.StartTimeout, () => composed ??= Assignment.Compose(launch));
            if (child is null)
                return null;
            launch.Tell(composed!.Value);
            composed = null;
            return child;
        }
        finally
        {
            circumstances = composed;
        }
    }

    private void Teach(Function function)
    {
        ServerState state = State;
        ServerConnection? server;
        lock (state.Gate)
            server = state.Current;
        if (server is { IsReady: true })
            server.Learn(function);
    }

    /// <summary>Null: this runtime cannot be forked. While the server forks, <paramref name="meanwhile"/> is done.</summary>
    private ProcessLifetime? ForkChild(int channel, TimeSpan limit, Action meanwhile)
    {
        long start = Stopwatch.GetTimestamp();
        for (int attempt = 1; ; attempt++)
        {
            ServerConnection? server = null;
            try
            {
                if (Ready(ref server, Left(limit, start)) is null)
                    return null;
            }
            catch (StartMethodException) when (attempt < MostAttempts && server is { WasKilledEarly: true })
            {
                continue; // no child can have come of it
            }
            RequestOutcome outcome = Ask(server!, channel, meanwhile, Left(limit, start), limit);
            if (outcome.Child is not null)
            {
                Served();
                return outcome.Child;
            }
            if (outcome.ServerDied)
            {
                if (attempt < MostAttempts)
                    continue;
                throw new StartMethodException($"{outcome.Reason} before it had forked the child, as did {attempt - 1} before it");
            }
            // RLIMIT_NPROC, pids.max: what ends meanwhile makes room, which nothing announces.
            if (outcome.ErrorNumber == TryAgain && attempt < MostAttempts)
            {
                Thread.CurrentThread.Join(5 << (2 * attempt));
                continue;
            }
            throw new StartMethodException($"{server!.Name} could not fork: {outcome.Reason}") { ErrorNumber = outcome.ErrorNumber };
        }
    }

    private static RequestOutcome Ask(ServerConnection server, int channel, Action meanwhile, TimeSpan left, TimeSpan limit)
    {
        // Without spinning, as the wait for a task would: a fork takes longer than that, and the server needs the processor for it.
        ManualResetEventSlim answered = new(false, spinCount: 0);
        RequestOutcome answer = default;
        uint id = server.Fork(isSpare: false, channel, outcome =>
        {
            answer = outcome;
            answered.Set();
        });
        try
        {
            meanwhile();
        }
        catch
        {
            server.Abandon(id);
            throw;
        }
        if (answered.Wait(left))
            return answer;
        // The process may only be stopped. It is of no use like that, and whoever else waits for it is better served by another.
        server.Abandon(id);
        server.Kill();
        throw new ChildTimeoutException($"{server.Name} did not answer within ChildOptions.StartTimeout ({limit}) and was killed") { Limit = limit };
    }

    /// <summary>The server, started if need be, when it is ready; null where this runtime cannot be forked.</summary>
    private ServerConnection? Ready(TimeSpan left)
    {
        ServerConnection? server = null;
        return Ready(ref server, left);
    }

    // The server is known to the caller also where it fails.
    private ServerConnection? Ready(ref ServerConnection? server, TimeSpan left)
    {
        ServerState state = State;
        server = Server(state);
        long start = Stopwatch.GetTimestamp();
        try
        {
            TimeSpan limit = left < TimeSpan.Zero || (_startTimeout >= TimeSpan.Zero && _startTimeout < left) ? _startTimeout : left;
            if (!server.Ready.IsCompletedSuccessfully && !server.Ready.Wait(limit))
            {
                server.Kill();
                throw new ChildTimeoutException($"{server.Name} was not ready after {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s and was killed; ForkServerOptions.StartTimeout is {_startTimeout}") { Limit = limit };
            }
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo failure = ExceptionDispatchInfo.Capture(e.InnerException!);
            lock (state.Gate)
            {
                if (server.PreloadFailed && state.Current == server)
                    state.PreloadFailure = failure;
            }
            failure.Throw();
        }
        return Judge(state, server, server.Ready.Result);
    }

    private ServerConnection Server(ServerState state)
    {
        lock (state.Gate)
        {
            ObjectDisposedException.ThrowIf(_disposed || state.IsEnded, this);
            state.PreloadFailure?.Throw();
            if (state.Current is { IsAlive: true } current)
                return current;
            if (state.Breaker.Refusal() is { } refusal)
                throw new StartMethodException($"{this} is not started again for now: {refusal}");
            ServerConnection server = ServerConnection.Start(state.Plan with { TestsRuntime = !RuntimeVerdict.IsKnown }, connection => Died(state, connection));
            if (!server.Gone.IsCompleted)
                state.Add(server);
            return state.Current = server;
        }
    }

    private ServerConnection? Judge(ServerState state, ServerConnection server, ReadyMessage ready)
    {
        if (ready.Unsupported.Length == 0)
        {
            if (!server.TakeWarnings())
                return server;
            RuntimeVerdict.Tell("");
            if (ready.Warning.Length > 0)
                Warn($"{server.Name}: {ready.Warning}");
            return server;
        }
        if (RuntimeVerdict.Tell(ready.Unsupported))
            Warn($"this runtime cannot be forked, so children of fork servers are started by exec from now on, which takes longer: {ready.Unsupported}");
        lock (state.Gate)
        {
            if (state.Current == server)
                state.Current = null;
        }
        server.Close();
        return null;
    }

    private void Served()
    {
        ServerState state = State;
        lock (state.Gate)
            state.Breaker.Served();
        OrderSpares();
    }

    private static void Died(ServerState state, ServerConnection server)
    {
        lock (state.Gate)
        {
            state.Remove(server);
            if (!server.IsClosing && !server.HasServed && !server.PreloadFailed)
                state.Breaker.Died(server.How);
        }
    }

    private static TimeSpan Left(TimeSpan limit, long start)
    {
        if (limit < TimeSpan.Zero || limit > LongestWait)
            return Timeout.InfiniteTimeSpan;
        TimeSpan left = limit - Stopwatch.GetElapsedTime(start);
        return left < TimeSpan.Zero ? TimeSpan.Zero : left;
    }
}
