using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StartMethods.Forking;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

/// <summary>
/// The first fork: a child that does everything that a runtime which did not survive its fork cannot do. On a runtime of tomorrow this is what tells, not
/// its version.
/// </summary>
internal static class Canary
{
    private static readonly TimeSpan StepLimit = TimeSpan.FromSeconds(5);

    /// <summary>What is wrong; empty where nothing is.</summary>
    internal static string Run()
    {
        try
        {
            string wrong = ForkCanary.Run(new ForkRequest { Flags = ForkFlags.ReviveAll | ForkFlags.NoWait | ForkFlags.Dormant }, Steps, TimeSpan.FromSeconds(10));
            if (wrong.Length == 0)
                ForkCanary.Pass();
            return wrong;
        }
        catch (StartMethodException e)
        {
            return e.Message;
        }
        catch (StartMethodNotSupportedException e)
        {
            return e.Message;
        }
    }

    private static IReadOnlyList<CanaryStep> Steps =>
    [
        new("garbage collection", () => { GC.Collect(); return true; }),
        new("exception", CanarySteps.Throws),
        new("null reference", FaultsOnAnotherThread),
        new("thread pool", () => Task.Run(static () => 42).Wait(StepLimit)),
        new("timer", () => Task.Delay(1).Wait(StepLimit)),
        new("collection beside a running loop", CollectsBesideALoop),
        new("finalizer", RunsFinalizers),
        new("signal", HandlesSignals),
        new("process id", () => Environment.ProcessId == Native.ProcessId()),
    ];

    private static bool FaultsOnAnotherThread() => Task.Run(static () =>
    {
        try
        {
            _ = ((string)null!).Length;
            return false;
        }
        catch (NullReferenceException)
        {
            return true;
        }
    }).Result;

    // A collection must stop a loop that never calls anything: the runtime signals its thread, and finds it by an id that the fork has changed.
    private static bool CollectsBesideALoop()
    {
        Spin spin = new();
        Task loop = Task.Run(spin.Run);
        SpinWait.SpinUntil(() => Volatile.Read(ref spin.Running), StepLimit);
        GC.Collect();
        Volatile.Write(ref spin.Stop, true);
        return loop.Wait(StepLimit);
    }

    private sealed class Spin
    {
        internal bool Running, Stop;

        internal void Run()
        {
            Volatile.Write(ref Running, true);
            while (!Volatile.Read(ref Stop))
            {
            }
        }
    }

    private static bool RunsFinalizers()
    {
        using ManualResetEventSlim finalized = new();
        Drop(finalized);
        GC.Collect();
        return finalized.Wait(StepLimit);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop(ManualResetEventSlim finalized) => _ = new Finalizable(finalized);

    private sealed class Finalizable(ManualResetEventSlim finalized)
    {
        ~Finalizable() => finalized.Set();
    }

    private static bool HandlesSignals()
    {
        using ManualResetEventSlim handled = new();
        using PosixSignalRegistration registration = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            handled.Set();
        });
        _ = Native.LibcKill(Native.ProcessId(), SignalNumber.Of(PosixSignal.SIGHUP));
        return handled.Wait(StepLimit);
    }
}
