using StartMethods.Pools;

namespace StartMethods.Tests.Pools;

/// <summary>Workers and callers around a <see cref="WorkerTable"/>, all simulated; checks after every step what must always hold.</summary>
internal sealed class SimulatedPool
{
    private readonly Dictionary<WorkerSlot, Worker> _workers = [];
    private readonly List<TaskEntry> _leases = [];
    private long _nextId = 1;
    private int _disposed;

    internal SimulatedPool(WorkerTableOptions options)
    {
        Table = new WorkerTable(options, Now);
        CarryOut();
    }

    internal WorkerTable Table { get; }
    internal long Now { get; private set; }
    internal List<TaskEntry> Tasks { get; } = [];
    internal Dictionary<TaskEntry, int> Runs { get; } = [];
    internal Dictionary<TaskEntry, int> Ends { get; } = [];
    internal List<DecisionKind> Log { get; } = [];
    internal IReadOnlyList<Worker> Workers => [.. _workers.Values];

    internal sealed class Worker(WorkerSlot slot)
    {
        internal WorkerSlot Slot { get; } = slot;
        internal bool Ready { get; set; }
        internal List<TaskEntry> Waiting { get; } = [];
        internal TaskEntry? Running { get; set; }
        internal bool MustExit { get; set; }
        internal bool Terminated { get; set; }
    }

    internal TaskEntry Submit(int priority = 0, long flow = 0, int retries = 0, bool cooperative = false, long timeout = 0, bool lease = false, TaskEntry? to = null)
    {
        var task = new TaskEntry
        {
            Id = _nextId++, Priority = priority, Flow = flow, RetriesLeft = retries, Cooperative = cooperative, Timeout = timeout, IsLease = lease, Lease = to,
        };
        Tasks.Add(task);
        if (lease)
            _leases.Add(task);
        Do(() => Table.Submit(task, Now));
        return task;
    }

    internal IReadOnlyList<TaskEntry> Leases => _leases;

    internal void Do(Action message)
    {
        message();
        CarryOut();
        Check();
    }

    internal void Advance(long ticks)
    {
        Now += ticks;
        Do(() => Table.Tick(Now));
    }

    internal void BecomeReady(Worker worker)
    {
        if (worker.Ready)
            return;
        worker.Ready = true;
        Do(() => Table.Ready(worker.Slot, Now));
    }

    internal void Begin(Worker worker)
    {
        if (!worker.Ready || worker.Running is not null || worker.Waiting.Count == 0)
            return;
        worker.Running = worker.Waiting[0];
        worker.Waiting.RemoveAt(0);
        Runs[worker.Running] = Runs.GetValueOrDefault(worker.Running) + 1;
    }

    internal void Finish(Worker worker, bool succeeded)
    {
        if (worker.Running is not { } task)
            return;
        worker.Running = null;
        Do(() => Require(Table.Finished(worker.Slot, task.Id, succeeded, Now), "an answer to a running task was not accepted"));
    }

    internal void Exit(Worker worker)
    {
        _workers.Remove(worker.Slot);
        Do(() => Table.Exited(worker.Slot, worker.Running is not null, Now));
    }

    /// <summary>Lets everything run to its end: workers obey, time passes.</summary>
    internal void Settle()
    {
        for (int i = 0; i < 500; i++)
        {
            foreach (TaskEntry lease in _leases)
            {
                if (lease.Phase == TaskPhase.Sent)
                    Do(() => Table.EndLease(lease, destroy: false, Now));
            }
            foreach (Worker worker in Workers)
            {
                if (worker.MustExit || worker.Terminated)
                {
                    Exit(worker);
                    continue;
                }
                BecomeReady(worker);
                Begin(worker);
                Finish(worker, succeeded: true);
            }
            Advance(TimeSpan.TicksPerSecond);
            if (Tasks.TrueForAll(t => t.Phase == TaskPhase.Ended) && (!Table.IsDisposed || Table.Live == 0))
                return;
        }
        throw new InvalidOperationException($"the pool never comes to rest: {Table.Unended} tasks unended, {Table.Live} workers");
    }

    private void CarryOut()
    {
        while (Table.TryTake(out PoolDecision decision))
        {
            Log.Add(decision.Kind);
            CarryOut(decision);
        }
    }

    private void CarryOut(PoolDecision decision)
    {
        Worker? worker = decision.Slot is { } slot ? _workers.GetValueOrDefault(slot) : null;
        switch (decision.Kind)
        {
            case DecisionKind.Start:
                Require(worker is null, "a slot got a second process");
                Require(_workers.Count < Table.Target, "more workers than the pool may have");
                _workers.Add(decision.Slot!, new Worker(decision.Slot!));
                break;
            case DecisionKind.Send:
                Require(worker!.Ready, "a task was sent to a worker that is not ready");
                Require(!worker.MustExit && !worker.Terminated, "a task was sent to a worker that is being ended");
                worker.Waiting.Add(decision.Task!);
                break;
            case DecisionKind.Revoke:
                if (worker is not null)
                    Table.Revoked(worker.Slot, decision.Task!, worker.Waiting.Remove(decision.Task!), Now);
                break;
            case DecisionKind.Stop:
                Require(worker!.Running is null && worker.Waiting.Count == 0, "a worker with work was told to leave");
                worker.MustExit = true;
                break;
            case DecisionKind.Kill: worker!.MustExit = true; break;
            case DecisionKind.Terminate: worker!.Terminated = true; break;
            case DecisionKind.Complete:
                Ends[decision.Task!] = Ends.GetValueOrDefault(decision.Task!) + 1;
                Require(Ends[decision.Task!] == 1, "a task ended twice");
                break;
            case DecisionKind.Disposed:
                Require(++_disposed == 1 && _workers.Count == 0, "disposed twice, or before the last worker was gone");
                break;
        }
    }

    private void Check()
    {
        Require(Table.Live == _workers.Count, "the table counts other workers than there are");
        Require(Tasks.Count(t => t.Phase != TaskPhase.Ended && !(t.IsLease && t.Phase == TaskPhase.Sent)) == Table.Unended, "Unended is wrong");
        Require(Table.Submitted == Tasks.Count, "Submitted is wrong");
        Require(Table.Succeeded + Table.Failed + Table.Cancelled == Ends.Count, "succeeded + failed + cancelled is not what ended");
        foreach (TaskEntry task in Tasks)
        {
            Require((task.Phase == TaskPhase.Ended) == Ends.ContainsKey(task), "a task's phase and its end differ");
            Require(Runs.GetValueOrDefault(task) <= 1 + task.Crashes, "a task was run again although no worker died while running it");
            Require(task.End != TaskEnd.Crashed || task.Crashes > 0 || task.IsLease, "a task crashed that never ran on a worker that died");
            Require(task.End != TaskEnd.Succeeded || task.IsLease || Runs.GetValueOrDefault(task) == 1 + task.Crashes, "a task succeeded without having run");
        }
    }

    private static void Require(bool condition, string what)
    {
        if (!condition)
            throw new InvalidOperationException(what);
    }
}
