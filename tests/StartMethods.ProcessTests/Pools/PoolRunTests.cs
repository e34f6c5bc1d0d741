using System.Diagnostics;

namespace StartMethods.ProcessTests;

[Category("Portable")]
public class PoolRunTests : IsolatedProcessTest
{
    [Test]
    public async Task Functions_of_every_shape_run_in_workers_and_their_values_come_back()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        int captured = 5;
        var options = new WorkerTaskOptions { Priority = 1 };
        Assert.That(await pool.RunAsync(() => captured * 2, Limit), Is.EqualTo(10));
        Assert.That(await pool.RunAsync(static x => x + 1, 41, Limit), Is.EqualTo(42));
        Assert.That(await pool.RunAsync(async () => { await Task.Yield(); return "async"; }, options, Limit), Is.EqualTo("async"));
        Assert.That(await pool.RunAsync(static async x => { await Task.Yield(); return x; }, 1.5), Is.EqualTo(1.5));
        Assert.That(await pool.RunAsync(token => token.CanBeCanceled, Limit), Is.True);
        Assert.That(await pool.RunAsync(static (x, token) => token.CanBeCanceled ? x : 0, 7, options, Limit), Is.EqualTo(7));
        Assert.That(await pool.RunAsync(static async (x, token) => { await Task.Delay(1, token); return x; }, 8, Limit), Is.EqualTo(8));
        await pool.RunAsync(() => { }, Limit);
        await pool.RunAsync(async () => await Task.Yield(), Limit);
        await pool.RunAsync(static x => { _ = x; }, 3, Limit);
        Assert.That(await pool.RunAsync(() => Environment.ProcessId), Is.Not.EqualTo(Environment.ProcessId));
        PoolStatistics statistics = pool.Statistics;
        Assert.That((statistics.Submitted, statistics.Succeeded, statistics.Failed, statistics.WorkersCrashed), Is.EqualTo((11L, 11L, 0L, 0L)), statistics.ToString());
    }

    [Test]
    public async Task An_exception_of_a_task_is_thrown_here_and_the_worker_goes_on()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        var error = (await Assert.ThrowsAsync<FormatException>(() => pool.RunAsync(() => int.Parse("x"), Limit)))!;
        Assert.That(error.StackTrace, Does.Contain(nameof(An_exception_of_a_task_is_thrown_here_and_the_worker_goes_on)));
        Assert.That(await pool.RunAsync(() => 1, Limit), Is.EqualTo(1));
        Assert.That(pool.Statistics.WorkersStarted, Is.EqualTo(1));
    }

    [TestCase(1000)]
    [TestCase(100_000)]
    [TestCase(5_000_000)]
    public async Task Payloads_of_every_size_go_there_and_back(int size)
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        byte[] data = new byte[size];
        new Random(size).NextBytes(data);
        Task<byte[]>[] echoes = [.. Enumerable.Range(0, 8).Select(_ => pool.RunAsync(static d => d, data, Limit))];
        foreach (Task<byte[]> echo in echoes)
            Assert.That((await echo).AsSpan().SequenceEqual(data), Is.True);
        string text = new('ä', size / 2);
        Assert.That(await pool.RunAsync(static t => t + "!", text, Limit), Is.EqualTo(text + "!"));
    }

    [Test]
    public async Task Large_arguments_that_come_again_and_again_are_not_paid_for_in_fresh_pages()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("page faults are read from /proc");
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        byte[] data = new byte[1 << 20];
        for (int i = 0; i < 100; i++)
            await pool.RunAsync(static d => d.Length, data, Limit);
        long before = await pool.RunAsync(PageFaults, Limit);
        for (int i = 0; i < 100; i++)
            await pool.RunAsync(static d => d.Length, data, Limit);
        Assert.That((await pool.RunAsync(PageFaults, Limit) - before) / 100, Is.LessThan(64), "of 256 pages");
    }

    private static long PageFaults()
    {
        string stat = File.ReadAllText("/proc/self/stat");
        return long.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[7], System.Globalization.CultureInfo.InvariantCulture);
    }

    [Test]
    public async Task An_argument_that_cannot_travel_fails_before_a_worker_is_used()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        using var stream = new MemoryStream();
        var thread = Thread.CurrentThread;
        await Assert.ThrowsAsync<PayloadException>(() => pool.RunAsync(() => thread.ManagedThreadId, Limit));
        Assert.That(pool.Statistics.WorkersStarted, Is.Zero);
    }

    [Test]
    public async Task A_result_that_cannot_travel_or_is_too_large_fails_its_task_and_keeps_the_worker()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, MaxResultBytes = 1_000_000 });
        await Assert.ThrowsAsync<PayloadException>(() => pool.RunAsync(() => Thread.CurrentThread, Limit));
        await Assert.ThrowsAsync<PayloadException>(() => pool.RunAsync(() => new byte[2_000_000], Limit));
        Assert.That(await pool.RunAsync(() => 1, Limit), Is.EqualTo(1));
        Assert.That(pool.Statistics.WorkersStarted, Is.EqualTo(1));
    }

    [Test]
    public async Task The_initializer_runs_once_in_each_worker_before_its_first_task()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions
        {
            Workers = 1,
            Initializer = () => Environment.SetEnvironmentVariable("POOL_TEST", Environment.GetEnvironmentVariable("POOL_TEST") + "i"),
            InitializerAsync = async () => { await Task.Yield(); Environment.SetEnvironmentVariable("POOL_TEST", Environment.GetEnvironmentVariable("POOL_TEST") + "a"); },
        });
        for (int i = 0; i < 3; i++)
            Assert.That(await pool.RunAsync(() => Environment.GetEnvironmentVariable("POOL_TEST"), Limit), Is.EqualTo("ia"));
    }

    [Test]
    public async Task A_failing_initializer_fails_every_task_with_its_text()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, Initializer = () => throw new InvalidOperationException("no licence") });
        Task<int>[] tasks = [.. Enumerable.Range(0, 5).Select(i => pool.RunAsync(() => i, Limit))];
        foreach (Task<int> task in tasks)
        {
            var error = (await Assert.ThrowsAsync<StartMethodException>(() => task))!;
            Assert.That(error.Message, Does.Contain("no licence"));
            Assert.That(error.InnerException, Is.TypeOf<InvalidOperationException>());
        }
        await Assert.ThrowsAsync<StartMethodException>(() => pool.RunAsync(() => 1, Limit));
    }

    [Test]
    public async Task A_thousand_tasks_of_many_callers_all_come_back_right()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, QueueLimit = 50 });
        await Parallel.ForAsync(0, 1000, Limit, async (i, token) =>
        {
            if (await pool.RunAsync(static x => x * 3, i, token) != i * 3)
                throw new InvalidOperationException($"wrong answer for {i}");
        });
        Assert.That(pool.Statistics.Succeeded, Is.EqualTo(1000));
    }

    [Test]
    public async Task Higher_priorities_overtake_tasks_that_wait()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        await pool.RunAsync(() => { });
        Task blocker = pool.RunAsync(() => Thread.Sleep(300), Limit);
        List<Task<long>> low = [.. Enumerable.Range(0, 20).Select(_ => pool.RunAsync(() => Stopwatch.GetTimestamp(), Limit))];
        long high = await pool.RunAsync(() => Stopwatch.GetTimestamp(), new WorkerTaskOptions { Priority = 10 }, Limit);
        await blocker;
        long[] times = await Task.WhenAll(low);
        Assert.That(times.Count(t => t < high), Is.LessThanOrEqualTo(1), "a task may wait inside the worker already; the others must come later");
    }

    [Test]
    public async Task Workers_are_started_when_tasks_wait_and_leave_when_idle()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 3, MinWorkers = 1, IdleTimeout = TimeSpan.FromMilliseconds(300) });
        await Task.WhenAll(Enumerable.Range(0, 9).Select(_ => pool.RunAsync(() => Thread.Sleep(100), Limit)));
        Assert.That(pool.Statistics.WorkersStarted, Is.GreaterThanOrEqualTo(2));
        await Eventually(() => pool.Statistics.Workers == 1, "all but one worker leave");
    }

    [Test]
    public async Task The_number_of_workers_can_be_changed_while_it_works()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        Task[] tasks = [.. Enumerable.Range(0, 30).Select(_ => pool.RunAsync(() => Thread.Sleep(20), Limit))];
        await pool.ResizeAsync(3);
        await Eventually(() => pool.Statistics.Workers == 3, "more workers");
        await pool.ResizeAsync(1);
        await Task.WhenAll(tasks);
        await Eventually(() => pool.Statistics.Workers == 1, "fewer workers");
        Assert.That(pool.Statistics.Succeeded, Is.EqualTo(30));
    }

    [Test]
    public async Task A_worker_is_replaced_after_its_number_of_tasks_without_losing_one()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, MaxTasksPerWorker = 1 });
        int[] processes = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => pool.RunAsync(() => Environment.ProcessId, Limit)));
        Assert.That(processes.Distinct().Count(), Is.EqualTo(12));
        Assert.That(pool.Statistics.WorkersCrashed, Is.Zero);
    }

    [Test]
    public async Task A_worker_that_uses_too_much_memory_is_replaced_between_two_tasks()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, MaxWorkerMemory = 200 << 20 });
        int first = await pool.RunAsync(() => { MemoryHog.Keep = new byte[300 << 20]; Array.Fill(MemoryHog.Keep, (byte)1); Thread.Sleep(300); return Environment.ProcessId; }, Limit);
        int second = first;
        for (int i = 0; i < 50 && second == first; i++)
        {
            await Task.Delay(20, Limit);
            second = await pool.RunAsync(() => Environment.ProcessId, Limit);
        }
        Assert.That(second, Is.Not.EqualTo(first));
        Assert.That((pool.Statistics.Failed, pool.Statistics.WorkersCrashed), Is.EqualTo((0L, 0L)));
    }

    private static class MemoryHog
    {
        internal static byte[] Keep = [];
    }

    [Test]
    public async Task A_worker_may_have_a_pool_of_its_own()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        int sum = await pool.RunAsync(async () =>
        {
            await using var inner = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
            int[] parts = await Task.WhenAll(Enumerable.Range(1, 4).Select(i => inner.RunAsync(static x => x * x, i)));
            return parts.Sum();
        }, Limit);
        Assert.That(sum, Is.EqualTo(30));
    }

    [Test]
    public async Task The_trace_of_the_caller_is_the_parent_of_what_the_body_sees()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        using Activity activity = new Activity("caller").SetIdFormat(ActivityIdFormat.W3C).Start();
        string? trace = await pool.RunAsync(() => Activity.Current?.TraceId.ToString(), Limit);
        Assert.That(trace, Is.EqualTo(activity.TraceId.ToString()));
    }

    [Test]
    public async Task The_life_of_workers_is_told_by_the_event_source_of_the_library()
    {
        using var listener = new EventNames();
        await using (var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Name = "watched" }))
        {
            int id = await pool.RunAsync(static () => Environment.ProcessId, Limit);
            using (System.Diagnostics.Process worker = System.Diagnostics.Process.GetProcessById(id))
                worker.Kill();
            await Eventually(() => pool.Statistics.WorkersCrashed == 1, "the pool knows of the death");
        }
        Assert.That(listener.Names, Does.Contain("WorkerStarted").And.Contain("WorkerEnded"));
    }

    private sealed class EventNames : System.Diagnostics.Tracing.EventListener
    {
        internal System.Collections.Concurrent.ConcurrentQueue<string?> Names { get; } = new();

        protected override void OnEventSourceCreated(System.Diagnostics.Tracing.EventSource eventSource)
        {
            if (eventSource.Name == "StartMethods")
                EnableEvents(eventSource, System.Diagnostics.Tracing.EventLevel.Informational);
        }

        protected override void OnEventWritten(System.Diagnostics.Tracing.EventWrittenEventArgs eventData)
        {
            if (eventData.EventSource.Name == "StartMethods")
                Names?.Enqueue(eventData.EventName);
        }
    }
}
