namespace StartMethods.Pools;

/// <summary>The life of the process in a slot.</summary>
internal enum WorkerState : byte
{
    /// <summary>No process.</summary>
    Vacant,

    /// <summary>Started, has not said that it is ready.</summary>
    Starting,

    /// <summary>Takes tasks.</summary>
    Ready,

    /// <summary>Was told to leave, or is being ended; only its exit is awaited.</summary>
    Stopping,
}

/// <summary>A place for one worker process at a time: at most one process exists per slot, so a pool never has more than its slots.</summary>
internal sealed class WorkerSlot(int index)
{
    internal int Index { get; } = index;
    internal WorkerState State { get; set; }

    /// <summary>What was given to the worker and has not ended; the first one is running (or about to).</summary>
    internal Deque<TaskEntry> Window { get; } = new();

    /// <summary>Leaves as soon as its window is empty.</summary>
    internal bool Retire { get; set; }

    /// <summary>Tasks given to this process since it started.</summary>
    internal int Assigned { get; set; }

    /// <summary>The lease that has it to itself.</summary>
    internal TaskEntry? Lease { get; set; }

    /// <summary>When its window became empty.</summary>
    internal long IdleSince { get; set; }

    internal long TerminateAt { get; set; } = long.MaxValue;
    internal long KillAt { get; set; } = long.MaxValue;

    /// <summary>This library ended it: its exit is no crash.</summary>
    internal bool EndedByUs { get; set; }

    internal bool IsLive => State != WorkerState.Vacant;

    /// <summary>A signal that ends it is on its way: it gets nothing more to do.</summary>
    internal bool IsDoomed => EndedByUs || KillAt == KillSent;

    /// <summary>Takes tasks, of anybody.</summary>
    internal bool IsOpen => State == WorkerState.Ready && Lease is null && !Retire && !IsDoomed;

    internal bool IsIdle => IsOpen && Window.Count == 0;

    /// <summary>The value of <see cref="KillAt"/> once nothing is left to escalate to.</summary>
    internal const long KillSent = long.MaxValue - 1;

    internal void Vacate()
    {
        State = WorkerState.Vacant;
        Retire = EndedByUs = false;
        Assigned = 0;
        Lease = null;
        TerminateAt = KillAt = long.MaxValue;
    }
}
