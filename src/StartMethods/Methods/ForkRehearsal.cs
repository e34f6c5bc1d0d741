using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
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
    // The runtime begins to count a method's calls when it has compiled nothing for a tenth of a second, and has counted enough after thirty.
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(100);

    private const int MostRepeats = 40;

    private static int s_repeats = -1;

    private static long s_last;

    private static readonly Dictionary<nint, RuntimeMethodHandle[]> Compiled = [];

    /// <summary>Before each fork: at the first, and then now and then until the runtime has compiled all of it for good (see ForkOperation.Rehearse).</summary>
    internal static void Run()
    {
        if (s_repeats >= MostRepeats || (s_repeats >= 0 && Stopwatch.GetElapsedTime(s_last) < Rest))
            return;
        if (s_repeats++ < 0)
            First();
        else
            Again();
        s_last = Stopwatch.GetTimestamp();
    }

    private static void First()
    {
        LoadedConsole.Watch();
        for (int i = 0; i < ForkOperation.Rehearsals; i++)
            Play();
        ListenerThread.Park(); // the fork brings it along: a child need not have the runtime start one
    }

    private static void Again()
    {
        try
        {
            Play();
            ListenerThread.Park();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // For want of a descriptor, say: the fork itself will tell.
        }
    }

    /// <summary>Before each fork for this function: this process never calls it, so that each child would compile it, and bind it.</summary>
    internal static void Compile(Delegate body)
    {
        MethodInfo method = body.Method;
        if (method.DeclaringType is null)
            return; // one that was made at run time is compiled with its delegate
        if (Compiled.TryGetValue(method.MethodHandle.Value, out RuntimeMethodHandle[]? parts))
            Array.ForEach(parts, static part => RuntimeHelpers.PrepareMethod(part));
        else
            Compiled.Add(method.MethodHandle.Value, BodyRehearsal.Compile(method));
    }

    private static void Play()
    {
        ListenerThread.Park();
        SetupMessage setup = new() { Name = "rehearsal", MethodName = "fork", ParentId = Environment.ProcessId, Depth = ChildContext.Depth + 1, Detached = true, MaxResultBytes = long.MaxValue };
        ChildLaunch launch = new(ChildJob.Of(static () => 42), new ChildOptions { StandardError = SpawnStdio.Inherit }, setup);
        try
        {
            launch.Open();
            launch.RunInChild(isRehearsal: true);
        }
        finally
        {
            launch.Abandon();
        }
        OrderlyExit.Rehearse(runHandlers: false);
    }
}
