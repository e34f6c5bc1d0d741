using System.Diagnostics;

namespace StartMethods.ProcessTests;

/// <summary>What the deadlock tests of CPython and loky check: crash, exit and exception at every stage; and here the pool stays usable.</summary>
[Category("Portable")]
public class PoolFailureTests : IsolatedProcessTest
{
    public enum Failure { Crash, Exit, Throw }

    private static void Fail(Failure how)
    {
        switch (how)
        {
            case Failure.Crash:
                using (Process self = Process.GetCurrentProcess())
                    self.Kill();
                Thread.Sleep(Timeout.Infinite);
                break;
            case Failure.Exit:
                Environment.Exit(5);
                break;
            case Failure.Throw:
                throw new InvalidOperationException("failing as asked");
        }
    }

    /// <summary>Code of the user that runs while a payload is written or read: his serializer, which fails where its value says so.</summary>
    internal sealed class FailingSerializer : IPayloadSerializer
    {
        private readonly int _home = Environment.ProcessId;

        public bool CanSerialize(Type type) => type == typeof(Poison);

        public void Serialize(object value, Type type, System.Buffers.IBufferWriter<byte> output)
        {
            var poison = (Poison)value;
            if (poison.Stage == Stage.ResultEncode && Environment.ProcessId != _home)
                Fail(poison.How);
            System.Buffers.BuffersExtensions.Write(output, [(byte)poison.How, (byte)poison.Stage]);
        }

        public object Deserialize(ReadOnlyMemory<byte> input, Type type)
        {
            var poison = new Poison((Failure)input.Span[0], (Stage)input.Span[1]);
            bool isHome = Environment.ProcessId == _home;
            if (poison.Stage == (isHome ? Stage.ResultDecode : Stage.ArgumentDecode))
                Fail(poison.How);
            return poison;
        }
    }

    public enum Stage { ArgumentDecode, Run, ResultEncode, ResultDecode }

    internal sealed record Poison(Failure How, Stage Stage);

    private static bool IsPortable => Environment.GetEnvironmentVariable("STARTMETHODS_PORTABLE") == "1";

    private static async Task StillWorks(WorkerPool pool) => Assert.That(await pool.RunAsync(static x => x + 1, 1, Limit), Is.EqualTo(2));

    /// <summary>A crash or an exit while the application itself decodes would be the application's own end: there, only an exception can be tried.</summary>
    private static IEnumerable<TestCaseData> Table() =>
        from stage in Enum.GetValues<Stage>()
        from how in Enum.GetValues<Failure>()
        where stage != Stage.ResultDecode || how == Failure.Throw
        from method in StartMethod.Supported
        select new TestCaseData(how, stage, method.Name);

    [TestCaseSource(nameof(Table))]
    public async Task A_failure_at_any_stage_is_told_to_its_caller_and_the_pool_stays_usable(Failure how, Stage stage, string method)
    {
        string told = await PoolMethods.RunAsync(method, method => Told(how, stage, method), Limit);
        Assert.That(told, how switch
        {
            Failure.Crash => Is.EqualTo(IsPortable ? "crashed: exit 137" : "crashed: killed by SIGKILL"),
            Failure.Exit => Is.EqualTo("crashed: exit 5"),
            _ => Does.Contain("failing as asked").And.Not.StartsWith("crashed"),
        });
    }

    /// <summary>One row of the table: what the caller is told. The pool has run another task after that.</summary>
    private static async Task<string> Told(Failure how, Stage stage, StartMethod method)
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Serializer = new FailingSerializer(), Method = method });
        string told;
        try
        {
            _ = await pool.RunAsync(static poison => { if (poison.Stage == Stage.Run) Fail(poison.How); return poison; }, new Poison(how, stage));
            told = "nothing";
        }
        catch (ChildCrashedException e)
        {
            told = e.ProcessId > 0 ? $"crashed: {e.ExitStatus}" : "crashed, but which process?";
        }
        catch (Exception e)
        {
            told = e.ToString();
        }
        return await pool.RunAsync(static x => x + 1, 1) == 2 ? told : "the pool is broken";
    }

    [Test]
    public async Task A_killed_worker_fails_only_the_task_that_it_ran()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        Task<int>[] good = [.. Enumerable.Range(0, 20).Select(i => pool.RunAsync(static x => { Thread.Sleep(20); return x; }, i, Limit))];
        Task bad = pool.RunAsync(() => Fail(Failure.Crash), Limit);
        Task<int>[] more = [.. Enumerable.Range(20, 20).Select(i => pool.RunAsync(static x => x, i, Limit))];
        await Assert.ThrowsAsync<ChildCrashedException>(() => bad);
        Assert.That(await Task.WhenAll([.. good, .. more]), Is.EqualTo(Enumerable.Range(0, 40)));
        Assert.That((pool.Statistics.WorkersCrashed, pool.Statistics.Failed), Is.EqualTo((1L, 1L)));
    }

    [Test]
    public async Task A_worker_that_dies_at_rest_costs_no_task()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        for (int i = 0; i < 25; i++)
        {
            int id = await pool.RunAsync(static () => Environment.ProcessId, Limit);
            using Process worker = Process.GetProcessById(id);
            worker.Kill();
            if (i % 5 == 0)
                await worker.WaitForExitAsync(Limit); // else the task may be sent before anybody knows
            await StillWorks(pool);
        }
        Assert.That((pool.Statistics.Failed, pool.Statistics.Succeeded), Is.EqualTo((0L, 50L)));
    }

    [Test]
    public async Task A_task_that_may_be_retried_gets_another_worker()
    {
        string flag = Path.Combine(Path.GetTempPath(), $"sm-retry-{Environment.ProcessId}");
        try
        {
            await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
            string result = await pool.RunAsync(() =>
            {
                if (!File.Exists(flag))
                {
                    File.WriteAllText(flag, "");
                    Fail(Failure.Crash);
                }
                return "second try";
            }, new WorkerTaskOptions { Retry = 1 }, Limit);
            Assert.That(result, Is.EqualTo("second try"));
        }
        finally
        {
            File.Delete(flag);
        }
    }

    [Test]
    public async Task A_poison_task_is_given_up_after_its_retries()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, RetryOnCrash = 2 });
        ChildCrashedException error = (await Assert.ThrowsAsync<ChildCrashedException>(() => pool.RunAsync(() => Fail(Failure.Crash), Limit)))!;
        Assert.That(error.Message, Does.Contain("3 times"));
        await StillWorks(pool);
    }

    [Test]
    public async Task A_time_limit_ends_a_task_that_does_not_listen_and_replaces_its_worker()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Grace = TimeSpan.FromSeconds(1) });
        await StillWorks(pool);
        ChildTimeoutException error = (await Assert.ThrowsAsync<ChildTimeoutException>(() =>
            pool.RunAsync(() => Thread.Sleep(Timeout.Infinite), new WorkerTaskOptions { Timeout = TimeSpan.FromMilliseconds(200) }, Limit)))!;
        Assert.That(error.Limit, Is.EqualTo(TimeSpan.FromMilliseconds(200)));
        await StillWorks(pool);
        Assert.That((pool.Statistics.WorkersStarted, pool.Statistics.WorkersCrashed), Is.EqualTo((2L, 0L)));
    }

    [Test]
    public async Task A_task_that_listens_is_asked_and_its_worker_is_kept()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        using var source = new CancellationTokenSource();
        Task task = pool.RunAsync(static async token => await Task.Delay(Timeout.Infinite, token), source.Token);
        await Eventually(() => pool.Statistics.Running == 1 && pool.Statistics.Workers == 1, "the task runs");
        await Task.Delay(200, Limit);
        await source.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => task);
        await StillWorks(pool);
        Assert.That((pool.Statistics.WorkersStarted, pool.Statistics.Cancelled), Is.EqualTo((1L, 1L)));
    }

    [Test]
    public async Task A_stopped_worker_is_killed_by_the_time_limit()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Grace = TimeSpan.FromSeconds(1) });
        await StillWorks(pool);
        Task stopped = pool.RunAsync(static () => { Process.Start("kill", ["-STOP", $"{Environment.ProcessId}"]).WaitForExit(); Thread.Sleep(1000); },
            new WorkerTaskOptions { Timeout = TimeSpan.FromMilliseconds(500) }, Limit);
        await Assert.ThrowsAsync<ChildTimeoutException>(() => stopped);
        await StillWorks(pool);
    }

    [Test]
    public async Task Disposing_ends_what_waits_and_what_runs_within_the_grace_time()
    {
        var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, Grace = TimeSpan.FromSeconds(1) });
        await StillWorks(pool);
        Task[] tasks = [.. Enumerable.Range(0, 50).Select(_ => pool.RunAsync(() => Thread.Sleep(Timeout.Infinite)))];
        await Task.Delay(200, Limit);
        Stopwatch time = Stopwatch.StartNew();
        await pool.DisposeAsync();
        Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(3)));
        foreach (Task task in tasks)
            await Assert.CatchAsync<OperationCanceledException>(() => task);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => pool.RunAsync(() => 1));
        Assert.That(pool.Statistics.Workers, Is.Zero);
    }

    [Test]
    public async Task Disposing_from_many_sides_while_tasks_are_submitted_leaves_no_task_pending()
    {
        for (int round = 0; round < 5; round++)
        {
            var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, MinWorkers = round % 3, Grace = TimeSpan.FromSeconds(1) });
            Task[] callers = [.. Enumerable.Range(0, 4).Select(c => Task.Run(async () =>
            {
                for (int i = 0; i < 100; i++)
                {
                    try
                    {
                        await pool.RunAsync(static x => x, i);
                    }
                    catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
                    {
                        // one of the two ends that a race with the disposal may have
                    }
                }
            }))];
            await Task.Delay(round * 40, Limit);
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () => await pool.DisposeAsync())));
            await Task.WhenAll(callers).WaitAsync(Limit);
            PoolStatistics s = pool.Statistics;
            Assert.That(s.Submitted, Is.EqualTo(s.Succeeded + s.Failed + s.Cancelled));
        }
    }

    [Test]
    public async Task Workers_that_cannot_start_fail_the_tasks_with_the_reason()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Method = new BrokenMethod() });
        StartMethodException error = (await Assert.ThrowsAsync<StartMethodException>(() => pool.RunAsync(() => 1, Limit)))!;
        Assert.That(error.Message, Does.Contain("no process today"));
    }

    private sealed class BrokenMethod : StartMethod
    {
        public override string Name => "broken";

        protected internal override SpawnedProcess Launch(ChildLaunch launch) => throw new StartMethodException("no process today");
    }
}
