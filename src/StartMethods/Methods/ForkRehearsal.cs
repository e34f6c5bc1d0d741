using System.Collections.Concurrent;
using System.Reflection;
using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Forking;
using StartMethods.ForkServers;
using StartMethods.Threads;

namespace StartMethods.Methods;

/// <summary>
/// Before its first fork for a child, a process goes through the life of one, but for the birth, the name and the end. Without it each child compiled and
/// loaded that for itself, which took it longer than everything else.
/// </summary>
internal static class ForkRehearsal
{
    private static int s_done;

    private static readonly ConcurrentDictionary<nint, bool> Compiled = new();

    internal static void Once()
    {
        if (Interlocked.Exchange(ref s_done, 1) != 0)
            return;
        LoadedConsole.Watch();
        for (int i = 0; i < ForkOperation.Rehearsals; i++)
            Play();
        ListenerThread.Park(); // the fork brings it along: a child need not have the runtime start one
    }

    /// <summary>Before the first fork for this function: this process never calls it, so that each child would compile it.</summary>
    internal static void Compile(Delegate body)
    {
        MethodInfo method = body.Method;
        if (method.DeclaringType is not null && Compiled.TryAdd(method.MethodHandle.Value, true)) // one that was made at run time is compiled with its delegate
            BodyRehearsal.Compile(method);
    }

    private static void Play()
    {
        ListenerThread.Park();
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
