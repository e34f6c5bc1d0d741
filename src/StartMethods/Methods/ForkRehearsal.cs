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
        ChildContext? context = ChildContext.Current;
        int depth = ChildContext.Depth;
        SetupMessage setup = new() { Name = "rehearsal", MethodName = "fork", ParentId = Environment.ProcessId, Depth = depth + 1, Detached = true, MaxResultBytes = long.MaxValue };
        ChildLaunch launch = new(ChildJob.Of(static () => 42), new ChildOptions { StandardError = SpawnStdio.Inherit }, setup);
        try
        {
            launch.Open();
            launch.RunInChild(isRehearsal: true);
        }
        finally
        {
            (ChildContext.Current, ChildContext.Depth) = (context, depth);
            launch.Abandon();
        }
        OrderlyExit.Rehearse(runHandlers: false);
    }
}
