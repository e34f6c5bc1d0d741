namespace StartMethods.Pools;

/// <content>What is done about each decision of the table; all of it under the lock, none of it waits.</content>
internal sealed partial class PoolCore
{
    private void CarryOut()
    {
        while (_table.TryTake(out PoolDecision decision))
            CarryOut(decision);
        foreach (PoolWorker worker in _unflushed)
        {
            worker.NeedsFlush = false;
            Guarded(worker, static link => link.Flush());
        }
        _unflushed.Clear();
        if (_table.Unended == 0 && _draining.Count > 0)
        {
            _draining.ForEach(static drained => drained.TrySetResult());
            _draining.Clear();
        }
        if (_table.NextDeadline() < _wakesAt)
            _waiter.Poke();
    }

    private void CarryOut(PoolDecision decision)
    {
        PoolWorker? worker = decision.Slot is { } slot && slot.Index < _workers.Count ? _workers[slot.Index] : null;
        PoolTask? task = (PoolTask?)decision.Task;
        switch (decision.Kind)
        {
            case DecisionKind.Start:
                Start(decision.Slot!);
                break;
            case DecisionKind.Send:
                Guarded(worker!, link => link.Send(task!));
                NeedsFlush(worker!);
                break;
            case DecisionKind.Revoke:
                bool taken = false;
                if (task!.Phase == TaskPhase.Sent && task.Slot == decision.Slot)
                    Guarded(worker!, link => taken = link.TryRevoke(task));
                _table.Revoked(decision.Slot!, task, taken, Now);
                break;
            case DecisionKind.Ask:
                if (task!.Phase == TaskPhase.Sent)
                    worker!.Link!.Ask(task.Id);
                break;
            case DecisionKind.Stop:
                worker!.Link!.Stop();
                NeedsFlush(worker);
                break;
            case DecisionKind.Terminate or DecisionKind.Kill:
                worker!.Signal(kill: decision.Kind == DecisionKind.Kill);
                break;
            case DecisionKind.Complete:
                Complete(task!);
                break;
            case DecisionKind.Grant:
                task!.SetAnswer(null);
                break;
            case DecisionKind.Disposed:
                EndThreads();
                break;
        }
    }

    private void NeedsFlush(PoolWorker worker)
    {
        if (worker.NeedsFlush)
            return;
        worker.NeedsFlush = true;
        _unflushed.Add(worker);
    }

    // What the worker wrote into the shared memory may be garbage: that is the end of the worker, and of nothing else.
    private void Guarded(PoolWorker worker, Action<WorkerLink> use)
    {
        if (worker.Link is not { } link)
            return;
        try
        {
            use(link);
        }
        catch (StartMethodException e)
        {
            worker.Error ??= e;
            _table.Distrust(worker.Slot);
        }
    }

    private void Complete(PoolTask task)
    {
        task.Discard();
        if (task.IsLease && task.Slot is not null)
            return; // its holder has it since Grant, and learns of its end at his next call
        if (task.End is TaskEnd.Succeeded or TaskEnd.Failed && task.Answer is { } answer)
        {
            task.Answer = null;
            task.SetAnswer(answer);
            return;
        }
        task.Answer?.Dispose();
        task.Answer = null;
        task.SetException(ErrorOf(task));
    }
}
