using StartMethods.Pools;

namespace StartMethods.Tests.Pools;

/// <summary>The rules of the pool, one by one, without a process.</summary>
public class WorkerTableTests
{
    private const long Second = TimeSpan.TicksPerSecond;

    private static SimulatedPool ReadyPool(int workers = 1, Func<WorkerTableOptions, WorkerTableOptions>? change = null)
    {
        var options = new WorkerTableOptions { Workers = workers, MinWorkers = workers };
        var pool = new SimulatedPool(change?.Invoke(options) ?? options);
        foreach (SimulatedPool.Worker worker in pool.Workers)
            pool.BecomeReady(worker);
        return pool;
    }

    private static void RunOne(SimulatedPool pool, int worker = 0, bool succeeded = true)
    {
        pool.Begin(pool.Workers[worker]);
        pool.Finish(pool.Workers[worker], succeeded);
    }

    [Test]
    public void A_dead_worker_fails_only_the_task_that_it_ran_and_the_others_go_to_its_successor()
    {
        SimulatedPool pool = ReadyPool();
        TaskEntry running = pool.Submit(), waiting = pool.Submit();
        pool.Begin(pool.Workers[0]);
        pool.Exit(pool.Workers[0]);
        Assert.That((running.End, waiting.Phase), Is.EqualTo((TaskEnd.Crashed, TaskPhase.Queued)));
        pool.BecomeReady(pool.Workers[0]);
        RunOne(pool);
        Assert.That((waiting.End, pool.Table.WorkersCrashed, pool.Table.WorkersStarted), Is.EqualTo((TaskEnd.Succeeded, 1L, 2L)));
    }

    [Test]
    public void A_task_that_may_be_retried_stops_being_retried_after_so_many_crashes()
    {
        SimulatedPool pool = ReadyPool();
        TaskEntry poison = pool.Submit(retries: 2);
        for (int i = 0; i < 3; i++)
        {
            pool.BecomeReady(pool.Workers[0]);
            pool.Begin(pool.Workers[0]);
            pool.Exit(pool.Workers[0]);
            pool.Advance(Second);
        }
        Assert.That((poison.End, poison.Crashes, pool.Runs[poison]), Is.EqualTo((TaskEnd.Crashed, 3, 3)));
    }

    [Test]
    public void Higher_priorities_run_first_and_callers_take_turns()
    {
        SimulatedPool pool = ReadyPool(change: o => o with { MaxWindow = 1 });
        pool.Submit(); // occupies the worker
        TaskEntry a1 = pool.Submit(flow: 1), a2 = pool.Submit(flow: 1), b1 = pool.Submit(flow: 2), high = pool.Submit(priority: 5, flow: 1);
        var order = new List<TaskEntry>();
        for (int i = 0; i < 5; i++)
        {
            pool.Begin(pool.Workers[0]);
            order.Add(pool.Workers[0].Running!);
            pool.Finish(pool.Workers[0], true);
        }
        Assert.That(order.Skip(1), Is.EqualTo(new[] { high, a1, b1, a2 }));
    }

    [Test]
    public void A_timeout_asks_then_terminates_then_kills_and_the_worker_is_replaced()
    {
        SimulatedPool pool = ReadyPool();
        TaskEntry task = pool.Submit(cooperative: true, timeout: Second);
        pool.Begin(pool.Workers[0]);
        pool.Advance(Second);
        Assert.That(pool.Log, Does.Contain(DecisionKind.Ask).And.Not.Contain(DecisionKind.Terminate));
        pool.Advance(Second);
        Assert.That(pool.Log, Does.Contain(DecisionKind.Terminate).And.Not.Contain(DecisionKind.Kill));
        pool.Advance(Second);
        Assert.That(pool.Log, Does.Contain(DecisionKind.Kill));
        pool.Exit(pool.Workers[0]);
        Assert.That((task.End, pool.Table.WorkersCrashed, pool.Workers.Count), Is.EqualTo((TaskEnd.TimedOut, 0L, 1)));
    }

    [Test]
    public void A_worker_that_hears_the_request_is_kept()
    {
        SimulatedPool pool = ReadyPool();
        TaskEntry task = pool.Submit(cooperative: true);
        pool.Begin(pool.Workers[0]);
        pool.Do(() => pool.Table.Cancel(task, pool.Now));
        pool.Finish(pool.Workers[0], succeeded: false);
        pool.Advance(10 * Second);
        Assert.That((task.End, pool.Table.WorkersStarted), Is.EqualTo((TaskEnd.Cancelled, 1L)));
        Assert.That(pool.Log, Does.Not.Contain(DecisionKind.Terminate));
    }

    [Test]
    public void A_cancelled_task_that_never_started_costs_no_worker()
    {
        SimulatedPool pool = ReadyPool();
        pool.Submit();
        TaskEntry behind = pool.Submit(), queued = pool.Submit();
        pool.Begin(pool.Workers[0]);
        pool.Do(() => pool.Table.Cancel(behind, pool.Now));
        pool.Do(() => pool.Table.Cancel(queued, pool.Now));
        Assert.That((behind.End, queued.End), Is.EqualTo((TaskEnd.Cancelled, TaskEnd.Cancelled)));
        Assert.That(pool.Log, Does.Not.Contain(DecisionKind.Terminate));
    }

    [Test]
    public void Ending_a_task_does_not_hit_the_one_behind_it_that_started_meanwhile()
    {
        SimulatedPool pool = ReadyPool();
        TaskEntry first = pool.Submit(), second = pool.Submit();
        SimulatedPool.Worker worker = pool.Workers[0];
        pool.Begin(worker);
        worker.Running = null; // its answer is on the way
        pool.Begin(worker);
        pool.Do(() => pool.Table.Cancel(first, pool.Now));
        pool.Advance(10 * Second);
        pool.Do(() => pool.Table.Finished(worker.Slot, first.Id, true, pool.Now));
        pool.Finish(worker, true);
        Assert.That((first.End, second.End), Is.EqualTo((TaskEnd.Succeeded, TaskEnd.Succeeded)));
        Assert.That(pool.Log, Does.Not.Contain(DecisionKind.Terminate));
    }

    [Test]
    public void An_idle_worker_takes_over_what_waits_behind_a_long_task()
    {
        SimulatedPool pool = ReadyPool(workers: 2);
        TaskEntry longer = pool.Submit(), quick = pool.Submit(), behindLong = pool.Submit(), last = pool.Submit();
        SimulatedPool.Worker a = pool.Workers.Single(w => w.Waiting.Contains(longer)), b = pool.Workers.Single(w => w != a);
        pool.Begin(a);
        for (int i = 0; i < 2; i++)
        {
            pool.Begin(b);
            pool.Finish(b, true);
        }
        pool.Advance(TimeSpan.TicksPerMillisecond);
        pool.Begin(b);
        pool.Finish(b, true);
        Assert.That((longer.Phase, quick.End, behindLong.End, last.End), Is.EqualTo((TaskPhase.Sent, TaskEnd.Succeeded, TaskEnd.Succeeded, TaskEnd.Succeeded)));
    }

    [Test]
    public void Workers_that_never_become_ready_open_the_breaker_and_later_one_attempt_decides()
    {
        var pool = new SimulatedPool(new WorkerTableOptions { Workers = 2 });
        TaskEntry task = pool.Submit();
        for (int i = 0; i < 5; i++)
        {
            pool.Exit(pool.Workers[0]);
            pool.Advance(Second);
        }
        Assert.That((task.End, pool.Table.WorkersStarted), Is.EqualTo((TaskEnd.Broken, 5L)));
        Assert.That(pool.Submit().End, Is.EqualTo(TaskEnd.Broken));
        pool.Advance(5 * Second);
        TaskEntry later = pool.Submit();
        pool.BecomeReady(pool.Workers[0]);
        RunOne(pool);
        Assert.That(later.End, Is.EqualTo(TaskEnd.Succeeded));
    }

    [Test]
    public void A_crash_loop_is_slowed_down_and_an_answer_ends_the_slowness()
    {
        SimulatedPool pool = ReadyPool();
        for (int i = 0; i < 5; i++)
        {
            pool.Submit();
            pool.BecomeReady(pool.Workers[0]);
            pool.Begin(pool.Workers[0]);
            pool.Exit(pool.Workers[0]);
            pool.Advance(i < 4 ? Second : 0);
        }
        Assert.That(pool.Workers, Is.Empty);
        pool.Advance(20 * TimeSpan.TicksPerMillisecond);
        Assert.That(pool.Workers, Has.Count.EqualTo(1));
    }

    [Test]
    public void A_worker_is_recycled_after_its_tasks_without_losing_one()
    {
        SimulatedPool pool = ReadyPool(change: o => o with { MaxTasksPerWorker = 1 });
        TaskEntry[] tasks = [.. Enumerable.Range(0, 20).Select(_ => pool.Submit())];
        pool.Settle();
        Assert.That(tasks.Select(t => t.End), Is.All.EqualTo(TaskEnd.Succeeded));
        Assert.That(pool.Table.WorkersStarted, Is.GreaterThanOrEqualTo(20));
    }

    [Test]
    public void Idle_workers_leave_down_to_the_minimum()
    {
        SimulatedPool pool = ReadyPool(workers: 3, change: o => o with { MinWorkers = 1, IdleTimeout = Second });
        for (int i = 0; i < 9; i++)
            pool.Submit();
        pool.Settle();
        for (int i = 0; i < 5; i++)
        {
            pool.Advance(Second);
            foreach (SimulatedPool.Worker worker in pool.Workers.Where(w => w.MustExit))
                pool.Exit(worker);
        }
        Assert.That(pool.Workers, Has.Count.EqualTo(1));
    }

    [Test]
    public void A_lease_has_its_worker_to_itself_until_it_is_returned()
    {
        SimulatedPool pool = ReadyPool();
        TaskEntry lease = pool.Submit(lease: true), other = pool.Submit(), own = pool.Submit(to: lease);
        RunOne(pool);
        Assert.That((own.End, other.Phase), Is.EqualTo((TaskEnd.Succeeded, TaskPhase.Queued)));
        pool.Do(() => pool.Table.EndLease(lease, destroy: false, pool.Now));
        RunOne(pool);
        Assert.That((other.End, pool.Table.WorkersStarted), Is.EqualTo((TaskEnd.Succeeded, 1L)));
    }

    [Test]
    public void A_lease_whose_worker_died_says_so_to_every_later_call()
    {
        SimulatedPool pool = ReadyPool();
        TaskEntry lease = pool.Submit(lease: true);
        pool.Exit(pool.Workers[0]);
        Assert.That((lease.End, pool.Submit(to: lease).End), Is.EqualTo((TaskEnd.Crashed, TaskEnd.Broken)));
    }

    [Test]
    public void An_answer_to_a_task_that_the_worker_was_not_given_is_refused()
    {
        SimulatedPool pool = ReadyPool();
        TaskEntry task = pool.Submit();
        pool.Begin(pool.Workers[0]);
        Assert.That(pool.Table.Finished(pool.Workers[0].Slot, task.Id + 1, true, pool.Now), Is.False);
    }
}
