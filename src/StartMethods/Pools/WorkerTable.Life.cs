namespace StartMethods.Pools;

/// <content>How many workers there are, and the end of the pool.</content>
internal sealed partial class WorkerTable
{
    /// <summary>Starts what is missing: the minimum, and one worker for every task that waits.</summary>
    private void Grow(long now)
    {
        while (!IsDisposed && now >= _notBefore && WantsWorkers())
        {
            WorkerSlot slot = VacantSlot();
            slot.State = WorkerState.Starting;
            Live++;
            WorkersStarted++;
            Decide(DecisionKind.Start, slot);
        }
    }

    private bool WantsWorkers()
    {
        if (_brokenForGood || Live >= Target)
            return false;
        int starting = 0, waiting = Queued, alive = 0;
        foreach (WorkerSlot slot in _slots)
        {
            if (slot.State == WorkerState.Starting)
                starting++;
            if (slot.State is WorkerState.Starting or WorkerState.Ready && !slot.Retire)
                alive++;
            if (slot.Lease is null && slot.Window.Count > 1)
                waiting += slot.Window.Count - 1;
        }
        return alive < Math.Min(_options.MinWorkers, Target) || starting < waiting;
    }

    private WorkerSlot VacantSlot()
    {
        foreach (WorkerSlot slot in _slots)
        {
            if (!slot.IsLive)
                return slot;
        }
        var added = new WorkerSlot(_slots.Count);
        _slots.Add(added);
        return added;
    }

    private void TrimSlots()
    {
        while (_slots.Count > Target && !_slots[^1].IsLive)
            _slots.RemoveAt(_slots.Count - 1);
    }

    private int NotRetiring()
    {
        int count = 0;
        foreach (WorkerSlot slot in _slots)
            count += slot.State is WorkerState.Starting or WorkerState.Ready && !slot.Retire ? 1 : 0;
        return count;
    }

    /// <summary>Changes the number of workers. Workers that are too many finish what they run, and leave.</summary>
    internal void Resize(int workers, long now)
    {
        if (IsDisposed)
            return;
        Target = workers;
        for (int excess = NotRetiring() - workers; excess > 0; excess--)
        {
            WorkerSlot? leaving = null;
            foreach (WorkerSlot slot in _slots)
            {
                if (slot.State is WorkerState.Starting or WorkerState.Ready && !slot.Retire && (leaving is null || Load(slot) < Load(leaving)))
                    leaving = slot;
            }
            leaving!.Retire = true;
            if (leaving.Lease is null)
                RevokeBehind(leaving, leaving.Window.First);
        }
        TrimSlots();
        Pump(now);
    }

    private static int Load(WorkerSlot slot) => slot.Lease is not null ? int.MaxValue : slot.Window.Count;

    private void StopIfDone(WorkerSlot slot, long now)
    {
        if (_options.MaxTasksPerWorker > 0 && slot.Assigned >= _options.MaxTasksPerWorker && slot.IsIdle)
            slot.Retire = true;
        if (!slot.Retire || slot.State != WorkerState.Ready || slot.Window.Count > 0 || slot.Lease is not null || slot.IsDoomed)
            return;
        slot.State = WorkerState.Stopping;
        slot.TerminateAt = long.MaxValue;
        slot.KillAt = now + _options.Grace;
        Decide(DecisionKind.Stop, slot);
    }

    /// <summary>
    /// Ends the pool: what waits is cancelled; what runs is asked to end where it listens, and may finish within the grace time;
    /// then it is terminated, and killed a second later.
    /// </summary>
    internal void Dispose(long now)
    {
        if (IsDisposed)
            return;
        IsDisposed = true;
        while (_leases.Count > 0)
            Complete(_leases.RemoveFirst(), TaskEnd.Cancelled);
        while (_queue.Dequeue() is { } task)
            Complete(task, TaskEnd.Cancelled);
        foreach (WorkerSlot slot in _slots)
            DisposeSlot(slot, now);
        Pump(now);
        if (Live == 0)
            Decide(DecisionKind.Disposed, null);
    }

    private void DisposeSlot(WorkerSlot slot, long now)
    {
        if (slot.Lease is { Phase: TaskPhase.Sent } lease)
        {
            slot.Lease = null;
            Complete(lease, TaskEnd.Cancelled);
        }
        slot.Retire = true;
        if (slot.State == WorkerState.Starting)
        {
            slot.EndedByUs = true;
            slot.KillAt = WorkerSlot.KillSent;
            Decide(DecisionKind.Kill, slot);
        }
        else if (slot.State == WorkerState.Ready && slot.Window.Count > 0)
        {
            RevokeBehind(slot, slot.Window[0]);
            TaskEntry running = slot.Window[0];
            if (slot.KillAt == long.MaxValue)
            {
                slot.TerminateAt = now + _options.Grace;
                slot.KillAt = slot.TerminateAt + TimeSpan.TicksPerSecond;
            }
            if (running.Ending == Ending.No)
            {
                running.Ending = Ending.Cancel;
                Decide(DecisionKind.Revoke, slot, running);
                if (running.Cooperative)
                    Decide(DecisionKind.Ask, slot, running);
            }
        }
    }
}
