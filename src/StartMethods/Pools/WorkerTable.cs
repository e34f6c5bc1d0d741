namespace StartMethods.Pools;

/// <summary>
/// The pool as a pure state machine: messages in (each with the time), decisions out. It starts nothing, sends nothing and reads no clock, so
/// that every order of events can be tried in a test without a process.
/// </summary>
/// <remarks>
/// The rules, one file each: who runs what (<c>Assign</c>), how a task ends before its time (<c>Ends</c>), what the death of a worker means
/// (<c>Workers</c>), how many workers there are (<c>Life</c>). Not thread-safe: the pool calls it under its lock, and carries out the
/// decisions before it releases the lock.
/// </remarks>
internal sealed partial class WorkerTable
{
    private readonly WorkerTableOptions _options;
    private readonly List<WorkerSlot> _slots = [];
    private readonly TaskQueue _queue = new();
    private readonly Deque<TaskEntry> _leases = new();
    private readonly Queue<PoolDecision> _decisions = new();
    private long _averageTask; // of the time between two answers of a worker that has work
    private int _unended;

    internal WorkerTable(WorkerTableOptions options, long now)
    {
        _options = options;
        Target = options.Workers;
        Grow(now);
    }

    /// <summary>How many workers there may be.</summary>
    internal int Target { get; private set; }

    internal bool IsDisposed { get; private set; }
    internal IReadOnlyList<WorkerSlot> Slots => _slots;

    /// <summary>Tasks and lease requests that wait for a worker.</summary>
    internal int Queued => _queue.Count + _leases.Count;

    /// <summary>Tasks and lease requests that have not ended, granted leases excepted.</summary>
    internal int Unended => _unended;

    internal int Live { get; private set; }
    internal long Submitted { get; private set; }
    internal long Succeeded { get; private set; }
    internal long Failed { get; private set; }
    internal long Cancelled { get; private set; }
    internal long WorkersStarted { get; private set; }
    internal long WorkersCrashed { get; private set; }

    /// <summary>Takes the next decision; false when all were carried out.</summary>
    internal bool TryTake(out PoolDecision decision) => _decisions.TryDequeue(out decision);

    /// <summary>A new task, lease request, or task for a lease.</summary>
    internal void Submit(TaskEntry task, long now)
    {
        Submitted++;
        _unended++;
        if (IsDisposed)
            Complete(task, TaskEnd.Rejected);
        else if (IsBroken(now))
            Complete(task, TaskEnd.Broken);
        else if (task.Ending != Ending.No)
            Complete(task, TaskEnd.Cancelled); // the request to end it came first
        else if (task.Lease is { } lease)
            SubmitToLease(task, lease, now);
        else
        {
            task.Phase = TaskPhase.Queued;
            if (task.IsLease)
                _leases.AddLast(task);
            else
                _queue.Enqueue(task);
            Pump(now);
        }
    }

    private void SubmitToLease(TaskEntry task, TaskEntry lease, long now)
    {
        if (lease.Phase == TaskPhase.Ended || lease.Slot is not { State: WorkerState.Ready } slot || slot.Lease != lease || slot.IsDoomed)
            Complete(task, TaskEnd.Broken);
        else
            Give(slot, task, now);
    }

    /// <summary>Completes a task; the only place where one ends.</summary>
    private void Complete(TaskEntry task, TaskEnd end)
    {
        if (!task.IsLease || task.Phase != TaskPhase.Sent)
            _unended--;
        task.Phase = TaskPhase.Ended;
        task.End = end;
        if (!task.IsLease)
            task.Slot = null;
        switch (end)
        {
            case TaskEnd.Succeeded: Succeeded++; break;
            case TaskEnd.Cancelled: Cancelled++; break;
            default: Failed++; break;
        }
        Decide(DecisionKind.Complete, null, task);
    }

    private void Decide(DecisionKind kind, WorkerSlot? slot, TaskEntry? task = null) => _decisions.Enqueue(new PoolDecision(kind, slot, task));

    /// <summary>Everything that a change may make possible, in the order in which it must be considered.</summary>
    private void Pump(long now)
    {
        if (!IsDisposed)
        {
            GrantLeases();
            Assign(now);
            Grow(now);
            Steal(now);
            if (_brokenForGood && Live == 0)
                FailQueued();
        }
        foreach (WorkerSlot slot in _slots)
            StopIfDone(slot, now);
    }
}
