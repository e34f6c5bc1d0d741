namespace StartMethods.Pools;

/// <content>What the birth and the death of a worker process mean.</content>
internal sealed partial class WorkerTable
{
    private int _failures;      // deaths in a row without one answer between them
    private int _startFailures; // of these: before the worker was ready
    private long _notBefore;    // no start before this time
    private long _brokenUntil;
    private bool _brokenForGood;

    /// <summary>No worker can be started: tasks fail at once.</summary>
    internal bool IsBroken(long now) => _brokenForGood || now < _brokenUntil;

    /// <summary>The process in the slot has said that it takes tasks.</summary>
    internal void Ready(WorkerSlot slot, long now)
    {
        if (slot.State != WorkerState.Starting)
            return;
        slot.State = WorkerState.Ready;
        slot.IdleSince = now;
        _startFailures = 0;
        Pump(now);
    }

    /// <summary>There is no process in the slot after all: it could not be started.</summary>
    internal void StartFailed(WorkerSlot slot, long now) => Exited(slot, startedFirst: false, now);

    /// <summary>The initializer of the workers fails: no worker would ever get further.</summary>
    internal void InitializerFailed(long now)
    {
        _brokenForGood = true;
        FailQueued();
        Pump(now);
    }

    /// <summary>The worker says how much memory its process uses.</summary>
    internal bool ReportMemory(WorkerSlot slot, long bytes, long now)
    {
        if (_options.MaxWorkerMemory <= 0 || bytes <= _options.MaxWorkerMemory || slot.Retire || slot.State != WorkerState.Ready)
            return false;
        slot.Retire = true;
        RevokeBehind(slot, slot.Window.First);
        Pump(now);
        return true;
    }

    /// <summary>What the worker says is not what a worker says (or could not have been said by it): it is ended as one that crashed.</summary>
    internal void Distrust(WorkerSlot slot)
    {
        if (slot.IsLive && slot.KillAt != WorkerSlot.KillSent)
        {
            slot.KillAt = WorkerSlot.KillSent;
            Decide(DecisionKind.Kill, slot);
        }
    }

    /// <summary>
    /// The process is gone, and every answer that it gave has been reported. <paramref name="startedFirst"/>: it had begun the first task of its window.
    /// Only that one is affected: it fails, or is tried again where that is allowed. The others never started, and are given to another worker.
    /// </summary>
    internal void Exited(WorkerSlot slot, bool startedFirst, long now)
    {
        if (!slot.IsLive)
            return;
        bool wasStarting = slot.State == WorkerState.Starting;
        bool expected = slot.EndedByUs || slot.State == WorkerState.Stopping;
        TaskEntry? lease = slot.Lease, running = startedFirst && slot.Window.Count > 0 ? slot.Window.RemoveFirst() : null;
        while (slot.Window.Count > 0)
            EndUnstarted(Last(slot.Window));
        if (running is not null)
            EndRunning(running);
        slot.Vacate();
        Live--;
        if (lease is { Phase: TaskPhase.Sent })
            Complete(lease, IsDisposed ? TaskEnd.Cancelled : TaskEnd.Crashed);
        if (!expected)
            CountFailure(wasStarting, now);
        TrimSlots();
        Pump(now);
        if (IsDisposed && Live == 0)
            Decide(DecisionKind.Disposed, null);
    }

    private static TaskEntry Last(Deque<TaskEntry> window)
    {
        TaskEntry last = window[window.Count - 1];
        window.Remove(last);
        return last;
    }

    private void EndUnstarted(TaskEntry task)
    {
        if (task.Ending != Ending.No || task.Withdrawn || IsDisposed)
            Complete(task, task.Ending == Ending.Timeout ? TaskEnd.TimedOut : TaskEnd.Cancelled);
        else if (task.Lease is not null)
            Complete(task, TaskEnd.Broken); // the state that it was meant for is gone
        else
            Requeue(task);
    }

    private void EndRunning(TaskEntry task)
    {
        task.Crashes++;
        if (task.Ending != Ending.No)
            Complete(task, task.Ending == Ending.Timeout ? TaskEnd.TimedOut : TaskEnd.Cancelled);
        else if (task.RetriesLeft > 0 && task.Lease is null && !IsDisposed)
        {
            task.RetriesLeft--;
            Requeue(task);
        }
        else
            Complete(task, TaskEnd.Crashed);
    }

    private void CountFailure(bool wasStarting, long now)
    {
        if (!wasStarting)
            WorkersCrashed++;
        _failures++;
        // The first replacements come at once. A worker that dies again and again without one answer is started ever more slowly.
        long pause = _failures <= 3 ? 0 : Math.Min(TimeSpan.TicksPerSecond, 10 * TimeSpan.TicksPerMillisecond << Math.Min(_failures - 4, 10));
        _notBefore = now + pause;
        if (wasStarting && ++_startFailures >= _options.BreakerFailures && !AnyReady())
        {
            _startFailures = _options.BreakerFailures - 1; // after the pause one more attempt decides
            _brokenUntil = now + _options.BreakerPause;
            _notBefore = _brokenUntil;
            FailQueued();
        }
    }

    private bool AnyReady()
    {
        foreach (WorkerSlot slot in _slots)
        {
            if (slot.State == WorkerState.Ready)
                return true;
        }
        return false;
    }

    private void FailQueued()
    {
        while (_leases.Count > 0)
            Complete(_leases.RemoveFirst(), TaskEnd.Broken);
        while (_queue.Dequeue() is { } task)
            Complete(task, TaskEnd.Broken);
    }
}
