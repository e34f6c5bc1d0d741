using StartMethods.Interop;

namespace StartMethods.Threads;

/// <summary>Every thread of this process but the caller: all are parked for a moment, described by the native engine, and let go.</summary>
/// <remarks>The engine must have been set up before: without it nothing is known about managed threads.</remarks>
internal static class ThreadInventory
{
    internal static IReadOnlyList<ForkSafetyThread> Take(out int busyWorkers)
    {
        NativeError.ThrowIfFailed(Native.ForkInspect(out NativeThreadInfo[] natives), "looking at the threads of this process");
        int workers = natives.Count(thread => thread.Kind == NativeThreadKind.Pool);
        // A worker that cannot be judged counts as busy.
        busyWorkers = Math.Min(PoolActivity.BusyWorkers() ?? workers, workers);
        int undecided = busyWorkers - natives.Count(thread => thread.Kind == NativeThreadKind.Pool && !ThreadActivity.IsWaitingForThread(thread));
        int waiting = natives.Count(thread => thread.Kind == NativeThreadKind.Pool && ThreadActivity.IsWaitingForThread(thread));
        List<ForkSafetyThread> threads = new(natives.Length);
        foreach (NativeThreadInfo native in natives)
            threads.Add(Describe(native, busyWorkers, isWaitingBusy: undecided >= waiting));
        return threads;
    }

    private static ForkSafetyThread Describe(in NativeThreadInfo native, int busyWorkers, bool isWaitingBusy)
    {
        ForkThreadKind kind = native.Kind switch
        {
            NativeThreadKind.Main => ForkThreadKind.Main,
            NativeThreadKind.Runtime => ForkThreadKind.Runtime,
            // Idle workers and those that wait within a work item look the same from outside. One that does not wait works, if anyone does: without
            // a work item it is about to go idle.
            NativeThreadKind.Pool => busyWorkers > 0 && (!ThreadActivity.IsWaitingForThread(native) || isWaitingBusy) ? ForkThreadKind.PoolBusy : ForkThreadKind.PoolIdle,
            NativeThreadKind.Gate => ForkThreadKind.PoolGate,
            NativeThreadKind.Timer => ForkThreadKind.Timer,
            NativeThreadKind.Sockets => ForkThreadKind.Sockets,
            NativeThreadKind.Library => ForkThreadKind.Library,
            NativeThreadKind.User => ForkThreadKind.User,
            _ => ForkThreadKind.Foreign,
        };
        bool waits = ThreadActivity.IsWaitingForThread(native);
        return new ForkSafetyThread
        {
            Id = native.ThreadId,
            ManagedId = native.ManagedId > 0 ? native.ManagedId : null,
            Name = native.Name,
            Kind = kind,
            Activity = ThreadActivity.Describe(native),
            IsBlocked = native.Parked != 0,
            // The main thread waits in an asynchronous Main, or for a thread that it has started: it goes on waiting in the child.
            IsUnsafe = kind is ForkThreadKind.User or ForkThreadKind.Foreign or ForkThreadKind.PoolBusy || (kind == ForkThreadKind.Main && !waits),
        };
    }
}
