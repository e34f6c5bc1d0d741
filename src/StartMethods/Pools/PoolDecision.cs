namespace StartMethods.Pools;

/// <summary>What the pool shall do next; decided by <see cref="WorkerTable"/>, which does nothing itself.</summary>
internal enum DecisionKind : byte
{
    /// <summary>Start a process in the slot; answer with Ready, StartFailed or Exited.</summary>
    Start,

    /// <summary>Give the task to the worker.</summary>
    Send,

    /// <summary>Take the task back if the worker has not begun it; answer with Revoked at once.</summary>
    Revoke,

    /// <summary>Ask the running body to end: cancel its token.</summary>
    Ask,

    /// <summary>Tell the worker, which has nothing to do, to leave.</summary>
    Stop,

    /// <summary>Ask the process to end (SIGTERM).</summary>
    Terminate,

    /// <summary>End the process (SIGKILL).</summary>
    Kill,

    /// <summary>The task has ended as its End says.</summary>
    Complete,

    /// <summary>The lease has its worker.</summary>
    Grant,

    /// <summary>The pool was disposed and its last process is gone.</summary>
    Disposed,
}

/// <summary>One decision.</summary>
internal readonly record struct PoolDecision(DecisionKind Kind, WorkerSlot? Slot, TaskEntry? Task);
