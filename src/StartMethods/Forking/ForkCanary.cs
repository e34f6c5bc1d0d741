using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StartMethods.Diagnostics;
using StartMethods.Interop;

namespace StartMethods.Forking;

/// <summary>
/// A forked child that goes through what a runtime which did not survive its fork cannot do, and ends. On a runtime of tomorrow this is what tells whether
/// it can be forked, not its version. Each process that forks itself sends one ahead, once; a fork server sends one of its own, with more to try.
/// </summary>
internal static class ForkCanary
{
    /// <summary>The AppContext switch with which an application does without it.</summary>
    internal const string SkipSwitch = "StartMethods.SkipForkCanary";

    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private const int Passed = 0, Failed = 1, PassedWithPrivateData = 2;
    private const int NoSuchChild = 10, ProtocolError = 71, TimedOut = 110;
    private static volatile bool s_isDecided;
    private static volatile string? s_reason;
    private static volatile ForkFlags s_flags;

    /// <summary>What is wrong with forked children of this process; null where nothing is, or nobody has looked yet.</summary>
    internal static string? Reason => s_reason;

    /// <summary>How the engine may fork this process since a canary has shown that it does no harm: with data of its own for what the runtime keeps in its code memory.</summary>
    internal static ForkFlags Flags => s_flags;

    /// <summary>Whether it is known.</summary>
    internal static bool IsDecided => s_isDecided;

    /// <summary>That a child was whole, so that no other is sent ahead: known to the children of this process too.</summary>
    internal static void Pass() => s_isDecided = true;

    /// <summary>Before a fork of the application: looks, once in a process, whether its child would be whole.</summary>
    /// <param name="request">How the application wants to fork.</param>
    /// <exception cref="StartMethodNotSupportedException">It would not, and the process is not forked now or later.</exception>
    /// <exception cref="StartMethodException">There was no canary, or somebody else has killed it; the next fork sends another.</exception>
    internal static void Decide(ForkRequest request)
    {
        if (s_isDecided || (AppContext.TryGetSwitch(SkipSwitch, out bool isSkipped) && isSkipped))
            return;
        long start = Stopwatch.GetTimestamp();
        string reason = Judge(request);
        s_reason = reason.Length > 0 ? reason : null;
        s_isDecided = true;
        if (LibraryEventSource.Log.IsEnabled())
            LibraryEventSource.Log.CanaryEnded(reason, (long)Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        if (reason.Length > 0)
            throw new StartMethodNotSupportedException($"fork: {reason}. StartMethod.Spawn works everywhere.");
    }

    /// <summary>Sends a canary, and another where that was not whole.</summary>
    /// <returns>What is wrong; empty where nothing is.</returns>
    internal static string Judge(ForkRequest request)
    {
        using CanarySteps steps = new();
        ForkRequest plain = request with { KeptSockets = [], Threads = [new ThreadPolicy { ThreadId = steps.PartnerId, Action = ThreadPolicy.Revive }] };
        string reason = Attempt(RequestFor(plain), steps);
        return reason.Length > 0 ? Attempt(plain, steps) : reason; // whoever was left behind may have held what it needed: once more, as a child proper
    }

    private static string Attempt(ForkRequest request, CanarySteps steps)
    {
        try
        {
            return Run(request, steps.All(), Patience);
        }
        catch (StartMethodException e) when (e.ErrorNumber is NoSuchChild or ProtocolError or TimedOut)
        {
            return e.Message.Split(": ", 2)[1]; // it died, or could not get its threads back: that is an answer too
        }
    }

    /// <summary>The fork of a canary, where the application wants to fork so. It is worth a wait for a moment at which every thread that might run the application's code can be left behind.</summary>
    internal static ForkRequest RequestFor(ForkRequest request) =>
        request with { Flags = request.Flags | ForkFlags.Canary | ForkFlags.OwnData, QuietTime = TimeSpan.FromMilliseconds(100) };

    /// <summary>Forks a child that takes one step after the other; ends and reaps it if it does not in time.</summary>
    /// <returns>What is wrong; empty where nothing is.</returns>
    /// <exception cref="StartMethodException">There was no child, or somebody else has killed it.</exception>
    internal static string Run(ForkRequest request, IReadOnlyList<CanaryStep> steps, TimeSpan patience)
    {
        NativeError.ThrowIfFailed(Native.CreatePipe(0, out FileDescriptor? begun, out FileDescriptor? told), "a pipe to hear of a canary's steps");
        using (begun)
        using (told)
        {
            ForkOutcome outcome = ForkEngine.Fork(request);
            if (outcome.IsChild)
                Live(steps, told!);
            using FileDescriptor pidfd = outcome.Pidfd!;
            bool ended = Native.ProcessWait(outcome.ProcessId, pidfd.Number, (int)patience.TotalMilliseconds) > 0;
            if (!ended)
                _ = Native.ProcessSignal(outcome.ProcessId, pidfd.Number, SignalNumber.Kill, SignalScope.Process);
            _ = Native.ProcessWait(outcome.ProcessId, pidfd.Number, -1);
            ExitInfo info = new() { Size = (uint)Unsafe.SizeOf<ExitInfo>() };
            _ = Native.ProcessReap(outcome.ProcessId, pidfd.Number, ref info);
            if (ended && info is { Kind: ExitKind.Code, Value: Passed or PassedWithPrivateData })
            {
                s_flags = info.Value == PassedWithPrivateData ? ForkFlags.OwnData : ForkFlags.None;
                return "";
            }
            string step = LastBegun(begun!, steps);
            // The system's memory is short, or an operator was quick: nothing is known of the runtime.
            if (ended && info is { Kind: ExitKind.Signal, Value: SignalNumber.Kill })
                throw new StartMethodException($"fork: the child that was sent ahead to see whether forked children are whole was killed by SIGKILL at '{step}'");
            return $"a forked child of {RuntimeInformation.FrameworkDescription} failed its self-check at '{step}': it {(ended ? $"ended with {info.Kind} {info.Value}" : "hung")}";
        }
    }

    private static string LastBegun(FileDescriptor begun, IReadOnlyList<CanaryStep> steps)
    {
        byte[] numbers = new byte[256];
        int count = Native.Read(begun, numbers);
        return count > 0 ? steps[numbers[count - 1]].Name : "begin";
    }

    private static void Live(IReadOnlyList<CanaryStep> steps, FileDescriptor told)
    {
        int code = Failed;
        try
        {
            for (int i = 0; i < steps.Count; i++)
            {
                _ = Native.Write(told, [(byte)i]);
                if (!steps[i].Holds())
                    Native.ExitNow(Failed);
            }
            code = Native.ForkCheckCodeData() == 1 ? PassedWithPrivateData : Passed;
        }
        finally
        {
            Native.ExitNow(code);
        }
    }
}

/// <summary>One thing that a whole child can do.</summary>
/// <param name="Name">Of what is tried.</param>
/// <param name="Holds">Tries it, in the child.</param>
internal sealed record CanaryStep(string Name, Func<bool> Holds);
