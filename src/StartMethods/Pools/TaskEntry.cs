namespace StartMethods.Pools;

/// <summary>Where a task is on its way.</summary>
internal enum TaskPhase : byte { New, Queued, Sent, Ended }

/// <summary>How a task ended; each task gets exactly one.</summary>
internal enum TaskEnd : byte
{
    None,

    /// <summary>The worker answered with a result.</summary>
    Succeeded,

    /// <summary>The worker answered with an exception.</summary>
    Failed,

    /// <summary>The worker died while it ran this task, as often as the task may be tried.</summary>
    Crashed,

    /// <summary>It ran longer than its time limit.</summary>
    TimedOut,

    /// <summary>It was cancelled, or the pool was disposed before it ended.</summary>
    Cancelled,

    /// <summary>No worker can be started (crash loop, failing initializer), or its lease lost its worker.</summary>
    Broken,

    /// <summary>The pool does not take tasks any more.</summary>
    Rejected,
}

/// <summary>Why a running task is being ended, if it is.</summary>
internal enum Ending : byte { No, Cancel, Timeout }

/// <summary>What <see cref="WorkerTable"/> knows of one task. The pool derives from it and adds payload and completion.</summary>
internal class TaskEntry
{
    internal long Id { get; set; }

    /// <summary>Higher runs first.</summary>
    internal int Priority { get; set; }

    /// <summary>Callers with different flows take turns (each map is one; single calls share flow 0).</summary>
    internal long Flow { get; set; }

    /// <summary>Time limit from its start in a worker, in ticks of 100 ns; 0 = none.</summary>
    internal long Timeout { get; set; }

    /// <summary>How often it may still be run again after a crash of its worker.</summary>
    internal int RetriesLeft { get; set; }

    /// <summary>Its body takes a cancellation token, so that asking it to end makes sense.</summary>
    internal bool Cooperative { get; set; }

    /// <summary>This entry asks for a worker of its own rather than for a function to be run.</summary>
    internal bool IsLease { get; set; }

    /// <summary>The lease whose worker must run it; null = any worker.</summary>
    internal TaskEntry? Lease { get; set; }

    /// <summary>Its caller does not want it any more, but lets it finish if it has begun.</summary>
    internal bool Withdrawn { get; set; }

    internal TaskPhase Phase { get; set; }
    internal TaskEnd End { get; set; }
    internal Ending Ending { get; set; }
    internal WorkerSlot? Slot { get; set; }
    internal long StartedAt { get; set; }

    /// <summary>How many workers died while they ran it.</summary>
    internal int Crashes { get; set; }
}
