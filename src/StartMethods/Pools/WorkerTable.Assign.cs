namespace StartMethods.Pools;

/// <content>Who runs what: windows, leases, and tasks taken back from a worker that is busy for long.</content>
internal sealed partial class WorkerTable
{
    private void Assign(long now)
    {
        while (_queue.Count > 0 && LeastLoaded() is { } slot)
            Give(slot, _queue.Dequeue()!, now);
    }

    private void Give(WorkerSlot slot, TaskEntry task, long now)
    {
        slot.Window.AddLast(task);
        slot.Assigned++;
        task.Phase = TaskPhase.Sent;
        task.Slot = slot;
        if (slot.Window.Count == 1)
            task.StartedAt = now;
        Decide(DecisionKind.Send, slot, task);
    }

    /// <summary>The worker with the fewest tasks that has room for one more. While somebody waits for a lease, one worker is left to run dry for them.</summary>
    private WorkerSlot? LeastLoaded()
    {
        WorkerSlot? best = null, reserved = _leases.Count == 0 ? null : ReservedForLease();
        int room = WindowSize();
        foreach (WorkerSlot slot in _slots)
        {
            if (slot.IsOpen && slot != reserved && slot.Window.Count < room
                && (_options.MaxTasksPerWorker == 0 || slot.Assigned < _options.MaxTasksPerWorker)
                && (slot.Window.Count == 0 || slot.Window[0].Ending == Ending.No)
                && (best is null || slot.Window.Count < best.Window.Count))
                best = slot;
        }
        return best;
    }

    private WorkerSlot? ReservedForLease()
    {
        WorkerSlot? best = null;
        foreach (WorkerSlot slot in _slots)
        {
            if (slot.IsOpen && (best is null || slot.Window.Count < best.Window.Count))
                best = slot;
        }
        return best;
    }

    /// <summary>As many tasks as hide the way to the worker and back, but no more than about WindowWork of work.</summary>
    private int WindowSize() => _averageTask == 0
        ? Math.Min(2, _options.MaxWindow)
        : (int)Math.Clamp(_options.WindowWork / _averageTask, Math.Min(2, _options.MaxWindow), _options.MaxWindow);

    private void GrantLeases()
    {
        while (_leases.Count > 0)
        {
            WorkerSlot? idle = null;
            foreach (WorkerSlot slot in _slots)
                idle ??= slot.IsIdle && (_options.MaxTasksPerWorker == 0 || slot.Assigned < _options.MaxTasksPerWorker) ? slot : null;
            if (idle is null)
                return;
            TaskEntry lease = _leases.RemoveFirst();
            idle.Lease = lease;
            lease.Slot = idle;
            lease.Phase = TaskPhase.Sent;
            _unended--;
            Decide(DecisionKind.Grant, idle, lease);
        }
    }

    /// <summary>The holder is done: the worker goes back to the others, or ends.</summary>
    internal void EndLease(TaskEntry lease, bool destroy, long now)
    {
        if (lease.Phase != TaskPhase.Sent || lease.Slot is not { } slot || slot.Lease != lease)
            return;
        for (int i = slot.Window.Count - 1; i >= 0; i--)
            Cancel(slot.Window[i], now);
        slot.Lease = null;
        slot.Retire |= destroy;
        slot.IdleSince = now;
        Complete(lease, TaskEnd.Succeeded);
        Pump(now);
    }

    /// <summary>An idle worker takes what waits behind a task that turned out to be long.</summary>
    private void Steal(long now)
    {
        if (_queue.Count > 0 || _options.MaxWindow == 1)
            return;
        foreach (WorkerSlot thief in _slots)
        {
            if (!thief.IsIdle || (_options.MaxTasksPerWorker > 0 && thief.Assigned >= _options.MaxTasksPerWorker))
                continue;
            if (LongestBehind(now) is { } victim)
                Decide(DecisionKind.Revoke, victim, victim.Window[victim.Window.Count - 1]);
            return; // one at a time: the answer to Revoke pumps again
        }
    }

    private WorkerSlot? LongestBehind(long now)
    {
        WorkerSlot? victim = null;
        foreach (WorkerSlot slot in _slots)
        {
            if (CanBeRobbed(slot) && now - slot.Window[0].StartedAt >= _options.StealAfter
                && slot.Window[slot.Window.Count - 1].Ending == Ending.No && (victim is null || slot.Window.Count > victim.Window.Count))
                victim = slot;
        }
        return victim;
    }

    private static bool CanBeRobbed(WorkerSlot slot) => slot.State == WorkerState.Ready && slot.Lease is null && slot.Window.Count > 1;

    /// <summary>Answer to Revoke: the task was taken back, or the worker had begun it.</summary>
    internal void Revoked(WorkerSlot slot, TaskEntry task, bool taken, long now)
    {
        if (task.Phase != TaskPhase.Sent || task.Slot != slot)
            return;
        if (!taken)
        {
            // It has begun, whatever stands before it in the window has been answered already: those answers are on their way.
            if (task.Ending != Ending.No)
                Escalate(slot, task, now);
            else if (slot.Window.First != task && !slot.IsDoomed && !IsDisposed)
                slot.TerminateAt = slot.KillAt = long.MaxValue; // the one that was to be ended has answered: do not hit its successor
            return;
        }
        bool wasFirst = slot.Window.First == task;
        slot.Window.Remove(task);
        slot.Assigned--;
        if (task.Ending != Ending.No || task.Withdrawn || IsDisposed)
            Complete(task, task.Ending == Ending.Timeout ? TaskEnd.TimedOut : TaskEnd.Cancelled);
        else if (task.Lease is not null)
            Complete(task, TaskEnd.Broken);
        else
            Requeue(task);
        AfterRemoval(slot, wasFirst, now);
        Pump(now);
    }

    private void Requeue(TaskEntry task)
    {
        task.Phase = TaskPhase.Queued;
        task.Slot = null;
        _queue.EnqueueFirst(task);
    }

    private static void AfterRemoval(WorkerSlot slot, bool wasFirst, long now)
    {
        if (slot.Window.Count == 0)
            slot.IdleSince = now;
        else if (wasFirst)
            slot.Window[0].StartedAt = now;
    }

    /// <summary>The worker answered. False: the answer is to nothing that it was asked, and its process must not be believed any further.</summary>
    internal bool Finished(WorkerSlot slot, long taskId, bool succeeded, long now)
    {
        if (slot.Window.First is not { } task || task.Id != taskId)
            return false;
        slot.Window.RemoveFirst();
        long took = Math.Max(0, now - task.StartedAt);
        _averageTask = _averageTask == 0 ? Math.Max(1, took) : Math.Max(1, _averageTask + (took - _averageTask) / 8);
        _failures = _startFailures = 0;
        Complete(task, task.Ending switch
        {
            Ending.Timeout => TaskEnd.TimedOut, // even if the answer just made it: the caller's limit is a limit
            _ when succeeded => TaskEnd.Succeeded,
            Ending.Cancel => TaskEnd.Cancelled,
            _ => TaskEnd.Failed,
        });
        if (!slot.IsDoomed && !IsDisposed && task.Ending != Ending.No)
            slot.TerminateAt = slot.KillAt = long.MaxValue; // it was asked, and it did
        AfterRemoval(slot, wasFirst: true, now);
        Pump(now);
        return true;
    }
}
