using System.Collections.Concurrent;
using StartMethods.Diagnostics;
using StartMethods.Forking;
using StartMethods.Interop;
using StartMethods.Threads;

namespace StartMethods;

/// <summary>
/// Whether this process can be forked now: POSIX promises a child of a process with several threads no more than async-signal-safe calls. This library brings the threads of
/// the runtime back in the child; it cannot know what threads of the application were in the middle of.
/// </summary>
public static class ForkSafety
{
    private static readonly ConcurrentDictionary<string, bool> WarnedOf = new(StringComparer.Ordinal);

    /// <summary>What an unsafe fork leads to where <see cref="ForkOptions.Policy"/> does not say otherwise; default: <see cref="UnsafeForkPolicy.Throw"/>.</summary>
    public static UnsafeForkPolicy Policy { get; set; } = UnsafeForkPolicy.Throw;

    /// <summary>
    /// An unsafe fork is about to happen, because the policy is <see cref="UnsafeForkPolicy.Warn"/>: raised once for each call site, before the fork, in the parent only. The
    /// EventSource "StartMethods" has it too, as <c>UnsafeFork</c>. A handler that throws prevents the fork. Python: the DeprecationWarning of os.fork since 3.12.
    /// </summary>
    public static event EventHandler<UnsafeForkWarningEventArgs>? Warning;

    /// <summary>Looks at every thread of this process and at the surroundings. All threads stand still for well under a millisecond.</summary>
    /// <exception cref="StartMethodException">The threads could not be looked at.</exception>
    public static ForkSafetyReport Inspect() => Inspect(CallerStack.Walk(), isThorough: true);

    /// <summary>What the policy demands, before a fork. Returns if the fork may go on: with <see cref="ForkFlags.OnlySafe"/> where the engine, which stops all threads anyway, is to see that none of
    /// them stands in the way; if one does, this is asked again.</summary>
    /// <param name="policy">That of the fork.</param>
    /// <param name="maySeeLater">Whether that can be left to the engine.</param>
    internal static ForkFlags Check(UnsafeForkPolicy? policy, bool maySeeLater)
    {
        UnsafeForkPolicy demanded = policy ?? Policy;
        CallerStack? stack = demanded == UnsafeForkPolicy.Allow ? null : CallerStack.Of(Native.ForkPlace());
        if (SafetyFindings.IsExiting(stack))
            throw new UnsafeForkException(new ForkSafetyReport([], [SafetyFindings.Exiting]));
        if (stack is null || (demanded == UnsafeForkPolicy.Warn && WarnedOf.ContainsKey(stack.CallSite)))
            return ForkFlags.None;
        if (maySeeLater && s_threadsWereSafe && SafetyFindings.AreNone(stack))
            return ForkFlags.OnlySafe | (PoolActivity.BusyWorkers() == 0 ? ForkFlags.PoolRests : ForkFlags.None);
        ForkSafetyReport report = Inspect(stack, isThorough: false);
        s_threadsWereSafe = report.Threads.All(static thread => thread.Kind is ForkThreadKind.Runtime or ForkThreadKind.PoolGate or ForkThreadKind.PoolIdle or ForkThreadKind.Timer or ForkThreadKind.Library);
        if (report.IsSafe)
            return ForkFlags.None;
        if (demanded == UnsafeForkPolicy.Throw)
            throw new UnsafeForkException(report);
        if (!WarnedOf.TryAdd(stack.CallSite, true))
            return ForkFlags.None;
        LibraryEventSource.Log.UnsafeFork(stack.CallSite, report.Explain());
        Warning?.Invoke(null, new UnsafeForkWarningEventArgs(report, stack.CallSite));
        return ForkFlags.None;
    }

    // At the last look: what SM_FORK_ONLY_SAFE is true of.
    private static volatile bool s_threadsWereSafe;

    private static ForkSafetyReport Inspect(CallerStack stack, bool isThorough)
    {
        if (ForkEngine.UnsupportedReason is { } reason)
        {
            return new ForkSafetyReport([], [new ForkFinding { Kind = ForkFindingKind.NotSupported, Message = $"this process cannot be forked: {reason}", Remedy = "Use StartMethod.Spawn." }]);
        }
        IReadOnlyList<ForkSafetyThread> threads = ThreadInventory.Take(out int busyWorkers);
        // A worker that has just finished counts as busy for a moment, and a main thread on its way into an asynchronous wait still runs: what is found must last.
        for (int i = 0; i < Rechecks && threads.Any(thread => thread.IsUnsafe) && threads.All(IsSafeOrPassing); i++)
        {
            Pause.Wait(TimeSpan.FromMilliseconds(1 << i));
            threads = ThreadInventory.Take(out busyWorkers);
        }
        return new ForkSafetyReport(threads, [.. SafetyFindings.Of(stack, threads, busyWorkers, isThorough)]);
    }

    // A thread of the runtime that is being born has its creator's name, one that ends has lost its place in the runtime's list: both look like a native library's.
    private static bool IsSafeOrPassing(ForkSafetyThread thread) =>
        !thread.IsUnsafe || thread.Kind is ForkThreadKind.PoolBusy or ForkThreadKind.Foreign || (thread.Kind == ForkThreadKind.Main && !thread.IsBlocked);

    // 1 + 2 + 4 + 8 + 16 ms, only where the fork would otherwise be refused or warned of.
    private const int Rechecks = 5;

    // Never set: waited on for its timeout, where there is no event to wait for.
    private static readonly ManualResetEventSlim Pause = new();
}
