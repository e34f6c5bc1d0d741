namespace StartMethods.Pools;

/// <content>How a task ends before its time: cancellation and time limits; first asked, then terminated, then killed.</content>
internal sealed partial class WorkerTable
{
    /// <summary>The caller does not want the task any more.</summary>
    internal void Cancel(TaskEntry task, long now) => EndEarly(task, Ending.Cancel, now);

    /// <summary>As Cancel, but a task that has begun runs on.</summary>
    internal void Withdraw(TaskEntry task, long now)
    {
        if (task.Phase == TaskPhase.Ended || task.Ending != Ending.No)
            return;
        task.Withdrawn = true;
        if (task.Phase == TaskPhase.Sent)
            Decide(DecisionKind.Revoke, task.Slot, task);
        else
            Cancel(task, now);
    }

    private void EndEarly(TaskEntry task, Ending why, long now)
    {
        if (task.Phase == TaskPhase.Ended || task.Ending != Ending.No)
            return;
        task.Ending = why;
        switch (task.Phase)
        {
            case TaskPhase.Queued when task.IsLease ? _leases.Remove(task) : _queue.Remove(task):
                Complete(task, why == Ending.Timeout ? TaskEnd.TimedOut : TaskEnd.Cancelled);
                break;
            case TaskPhase.Sent when task.IsLease:
                task.Ending = Ending.No; // granted already: the holder disposes of it
                break;
            case TaskPhase.Sent:
                Decide(DecisionKind.Revoke, task.Slot, task);
                break;
        }
    }

    /// <summary>The task runs: ask it if its body listens, else, and if it does not hear, end the worker.</summary>
    private void Escalate(WorkerSlot slot, TaskEntry task, long now)
    {
        if (slot.KillAt != long.MaxValue)
            return;
        if (task.Cooperative)
            Decide(DecisionKind.Ask, slot, task);
        slot.TerminateAt = task.Cooperative ? now + _options.Grace / 2 : now;
        slot.KillAt = now + _options.Grace;
        // They must not die with it. The signal itself waits for the next Tick: an answer to these Revokes may show that the task has ended meanwhile.
        RevokeBehind(slot, task);
    }

    private void RevokeBehind(WorkerSlot slot, TaskEntry? task)
    {
        for (int i = slot.Window.Count - 1; i >= 0 && slot.Window[i] != task; i--)
            Decide(DecisionKind.Revoke, slot, slot.Window[i]);
    }

    private void Overdue(WorkerSlot slot, long now)
    {
        if (now >= slot.TerminateAt)
        {
            slot.TerminateAt = long.MaxValue;
            slot.EndedByUs = slot.Retire = true;
            Decide(DecisionKind.Terminate, slot);
        }
        if (now >= slot.KillAt)
        {
            slot.KillAt = WorkerSlot.KillSent; // sent: nothing is left to do, and nothing escalates again
            slot.EndedByUs = slot.Retire = true;
            Decide(DecisionKind.Kill, slot);
        }
    }

    /// <summary>Time has passed.</summary>
    internal void Tick(long now)
    {
        foreach (WorkerSlot slot in _slots)
        {
            if (slot.Window.First is { Timeout: > 0, Ending: Ending.No } task && now - task.StartedAt >= task.Timeout)
                EndEarly(task, Ending.Timeout, now);
            Overdue(slot, now);
            if (IsIdleTooLong(slot, now))
                slot.Retire = true;
        }
        Pump(now);
    }

    private bool IsIdleTooLong(WorkerSlot slot, long now) =>
        _options.IdleTimeout > 0 && slot.IsIdle && now - slot.IdleSince >= _options.IdleTimeout && NotRetiring() > _options.MinWorkers;

    /// <summary>When Tick must be called at the latest; long.MaxValue = not before another message.</summary>
    internal long NextDeadline()
    {
        long next = long.MaxValue;
        bool someoneIdle = false;
        foreach (WorkerSlot slot in _slots)
        {
            someoneIdle |= slot.IsIdle;
            next = Math.Min(next, slot.TerminateAt);
            if (slot.KillAt != WorkerSlot.KillSent)
                next = Math.Min(next, slot.KillAt);
            if (slot.Window.First is { Timeout: > 0, Ending: Ending.No } task)
                next = Math.Min(next, task.StartedAt + task.Timeout);
            if (_options.IdleTimeout > 0 && slot.IsIdle && NotRetiring() > _options.MinWorkers)
                next = Math.Min(next, slot.IdleSince + _options.IdleTimeout);
        }
        if (someoneIdle && !IsDisposed && _queue.Count == 0 && _options.MaxWindow > 1)
        {
            foreach (WorkerSlot slot in _slots)
            {
                if (CanBeRobbed(slot) && slot.Window[slot.Window.Count - 1].Ending == Ending.No)
                    next = Math.Min(next, slot.Window[0].StartedAt + _options.StealAfter);
            }
        }
        return !IsDisposed && WantsWorkers() ? Math.Min(next, _notBefore) : next;
    }
}
