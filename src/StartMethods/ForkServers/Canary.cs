using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

/// <summary>
/// The first fork: a child that does everything that a runtime which did not survive its fork cannot do. On a runtime of tomorrow this is what tells, not
/// its version.
/// </summary>
internal static class Canary
{
    private const int Patience = 10_000, Passed = 0, Failed = 1;
    private static readonly TimeSpan StepLimit = TimeSpan.FromSeconds(5);

    /// <summary>What is wrong; empty where nothing is.</summary>
    internal static string Run()
    {
        (MessageSocket ours, MessageSocket theirs) = MessageSocket.CreatePair();
        using (ours)
        using (theirs)
        {
            ServerFork fork = ServerFork.Now(asSibling: false, theirs.Handle);
            if (fork.IsChild)
                Live(theirs);
            if (fork.ErrorNumber != 0)
                return fork.Reason;
            theirs.Dispose();
            using FileDescriptor pidfd = fork.Pidfd!;
            bool ended = Native.ProcessWait(fork.ProcessId, pidfd.Number, Patience) > 0;
            if (!ended)
                _ = Native.ProcessSignal(fork.ProcessId, pidfd.Number, SignalNumber.Kill, SignalScope.Process);
            _ = Native.ProcessWait(fork.ProcessId, pidfd.Number, -1);
            ExitInfo info = new() { Size = (uint)Unsafe.SizeOf<ExitInfo>() };
            _ = Native.ProcessReap(fork.ProcessId, pidfd.Number, ref info);
            return ended && info is { Kind: ExitKind.Code, Value: Passed } ? "" : Explain(ours, ended, info);
        }
    }

    private static string Explain(MessageSocket ours, bool ended, ExitInfo info)
    {
        // The last step that it began.
        byte[] buffer = new byte[64];
        string step = "begin";
        ReceivedDescriptors none = default;
        for (int size; (size = ours.Receive(buffer, ref none, wait: false)) > 0;)
            step = System.Text.Encoding.UTF8.GetString(buffer, 0, size);
        return $"a forked child of {RuntimeInformation.FrameworkDescription} failed its self-check at '{step}': it {(ended ? $"ended with {info.Kind} {info.Value}" : "hung")}";
    }

    private static void Live(MessageSocket said)
    {
        int code = Failed;
        try
        {
            foreach ((string name, Func<bool> step) in Steps())
            {
                said.Send(System.Text.Encoding.UTF8.GetBytes(name), -1, wait: false);
                if (!step())
                    Native.ExitNow(Failed);
            }
            code = Passed;
        }
        finally
        {
            Native.ExitNow(code);
        }
    }

    private static IEnumerable<(string, Func<bool>)> Steps() =>
    [
        ("garbage collection", () => { GC.Collect(); return true; }),
        ("exception", Throws),
        ("null reference", FaultsOnAnotherThread),
        ("thread pool", () => Task.Run(static () => 42).Wait(StepLimit)),
        ("timer", () => Task.Delay(1).Wait(StepLimit)),
        ("collection beside a running loop", CollectsBesideALoop),
        ("finalizer", RunsFinalizers),
        ("signal", HandlesSignals),
        ("process id", () => Environment.ProcessId == Native.ProcessId()),
    ];

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Throws()
    {
        try
        {
            throw new InvalidOperationException();
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }

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
