using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Forking;
using StartMethods.Threads;

namespace StartMethods.Methods;

/// <summary>
/// Before its first fork for a child, a process goes through the life of one, but for the birth, the name and the end. Without it each child compiled and
/// loaded that for itself, which took it longer than everything else.
/// </summary>
internal static class ForkRehearsal
{
    private static int s_done;

    internal static void Once()
    {
        if (Interlocked.Exchange(ref s_done, 1) != 0)
            return;
        LoadedConsole.Watch();
        for (int i = 0; i < ForkOperation.Rehearsals; i++)
            Play();
    }

    private static void Play()
    {
        (FrameChannel parent, ChannelEnd end) = FrameChannel.CreatePair();
        ChildContext? context = ChildContext.Current;
        int depth = ChildContext.Depth;
        try
        {
            SetupMessage setup = new() { Name = "rehearsal", MethodName = "fork", ParentId = Environment.ProcessId, Depth = depth + 1, Detached = true, MaxResultBytes = long.MaxValue };
            ChildOptions options = new() { StandardError = SpawnStdio.Inherit };
            using ChildStreams streams = new(options);
            new ChildLaunch(ChildJob.Of(static () => 42), options, setup, parent, end, streams).RunInChild(isRehearsal: true);
        }
        finally
        {
            (ChildContext.Current, ChildContext.Depth) = (context, depth);
            parent.Dispose();
        }
        OrderlyExit.Rehearse(runHandlers: false);
    }
}
