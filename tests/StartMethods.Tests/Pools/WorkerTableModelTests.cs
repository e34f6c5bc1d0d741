using FsCheck;
using FsCheck.Fluent;
using StartMethods.Pools;

namespace StartMethods.Tests.Pools;

/// <summary>Random orders of everything that can happen to a pool, against the simple model in <see cref="SimulatedPool"/>.</summary>
public class WorkerTableModelTests
{
    [Test]
    public void Whatever_happens_every_task_ends_exactly_once_and_none_runs_twice_unless_its_worker_died() =>
        Prop.ForAll(Histories(), Replay).Check(Config.QuickThrowOnFailure.WithMaxTest(3000).WithEndSize(250));

    [Test]
    public void Whatever_happens_disposing_ends_every_task_and_every_worker() =>
        Prop.ForAll(Histories(), history => { SimulatedPool pool = Replayed(history); pool.Do(() => pool.Table.Dispose(pool.Now)); SettleAndCheck(pool); })
            .Check(Config.QuickThrowOnFailure.WithMaxTest(2000).WithEndSize(250));

    private static Arbitrary<byte[]> Histories() => ArbMap.Default.ArbFor<byte[]>();

    private static void Replay(byte[] history) => SettleAndCheck(Replayed(history));

    private static void SettleAndCheck(SimulatedPool pool)
    {
        pool.Settle();
        if (pool.Tasks.Any(t => t.Phase != TaskPhase.Ended))
            throw new InvalidOperationException("a task never ended");
        if (pool.Table.IsDisposed && !pool.Log.Contains(DecisionKind.Disposed))
            throw new InvalidOperationException("the pool never said that it is disposed");
    }

    private static SimulatedPool Replayed(byte[] history)
    {
        int shape = history.Length > 0 ? history[0] : 0;
        var pool = new SimulatedPool(new WorkerTableOptions
        {
            Workers = 1 + shape % 3, MinWorkers = shape / 3 % 2, MaxTasksPerWorker = shape / 6 % 3, MaxWindow = shape / 18 % 2 == 0 ? 64 : 1,
            IdleTimeout = shape / 36 % 2 * 3 * TimeSpan.TicksPerSecond, MaxWorkerMemory = 100,
        });
        for (int i = 1; i + 1 < history.Length; i += 2)
            Step(pool, history[i], history[i + 1]);
        return pool;
    }

    private static void Step(SimulatedPool pool, byte what, byte which)
    {
        IReadOnlyList<SimulatedPool.Worker> workers = pool.Workers;
        SimulatedPool.Worker? worker = workers.Count == 0 ? null : workers[which % workers.Count];
        TaskEntry? task = pool.Tasks.Count == 0 ? null : pool.Tasks[which % pool.Tasks.Count];
        TaskEntry? lease = pool.Leases.Count == 0 ? null : pool.Leases[which % pool.Leases.Count];
        switch (what % 24)
        {
            case 0 or 1 or 2 or 3: pool.Submit(priority: which % 3, flow: which / 3 % 3, retries: which / 9 % 2, cooperative: which % 2 == 0, timeout: which / 18 % 2 * 700_000); break;
            case 4 or 5 or 6 when worker is not null: pool.BecomeReady(worker); break;
            case 7 or 8 or 9 when worker is not null: pool.Begin(worker); break;
            case 10 or 11 or 12 when worker is not null: pool.Finish(worker, succeeded: which % 3 != 0); break;
            case 13 or 14 when worker is not null: pool.Exit(worker); break;
            case 15 or 16: pool.Advance(which * 10_000L); break;
            case 17 when task is not null: pool.Do(() => pool.Table.Cancel(task, pool.Now)); break;
            case 18: pool.Do(() => pool.Table.Resize(1 + which % 4, pool.Now)); break;
            case 19: pool.Submit(lease: true); break;
            case 20 when lease is not null: pool.Submit(to: lease, cooperative: which % 2 == 0); break;
            case 21 when lease is not null: pool.Do(() => pool.Table.EndLease(lease, destroy: which % 2 == 0, pool.Now)); break;
            case 22 when worker is { Ready: true }: pool.Do(() => pool.Table.ReportMemory(worker.Slot, which, pool.Now)); break;
            case 23 when which < 4: pool.Do(() => pool.Table.Dispose(pool.Now)); break;
            case 23 when worker is not null && which < 40: pool.Do(() => pool.Table.Distrust(worker.Slot)); break;
            case 23 when which == 200: pool.Do(() => pool.Table.InitializerFailed(pool.Now)); break;
        }
    }
}
