using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace StartMethods.ProcessTests;

/// <summary>What workers write to their standard streams comes as lines, each with its worker, whatever the worker or the handler does.</summary>
[Category("Portable")]
public class PoolOutputTests : IsolatedProcessTest
{
    private sealed record Said(string Worker, int ProcessId, WorkerStream Stream, string Text, bool IsComplete);

    private static Said Of(WorkerLine line) => new(line.Worker, line.ProcessId, line.Stream, line.Text, line.IsComplete);

    private static void Kill()
    {
        using Process self = Process.GetCurrentProcess();
        self.Kill();
        Thread.Sleep(Timeout.Infinite);
    }

    [TestCaseSource(typeof(PoolMethods), nameof(PoolMethods.All))]
    public async Task Lines_of_four_workers_come_whole_in_order_and_with_their_worker(string method)
    {
        Said[] said = await PoolMethods.RunAsync(method, static async method =>
        {
            var lines = new ConcurrentQueue<Said>();
            await using (var pool = new WorkerPool(new WorkerPoolOptions { Workers = 4, MinWorkers = 4, Method = method, Name = "four", Output = line => lines.Enqueue(Of(line)) }))
            {
                await Task.WhenAll(Enumerable.Range(0, 40).Select(task => pool.RunAsync(static task =>
                {
                    for (int i = 0; i < 25; i++)
                        (i % 2 == 0 ? Console.Out : Console.Error).WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId} {task} {i} äö{new string('x', i * 40)}€"));
                }, task)));
            }
            return lines.ToArray();
        }, Limit);
        Assert.That(said, Has.Length.EqualTo(1000), "every line, when the pool has been disposed of");
        Assert.Multiple(() =>
        {
            foreach (Said line in said)
            {
                string[] parts = line.Text.Split(' ');
                int number = int.Parse(parts[2], CultureInfo.InvariantCulture);
                Assert.That(parts[0], Is.EqualTo(line.ProcessId.ToString(CultureInfo.InvariantCulture)), "the process that wrote it");
                Assert.That(line.Stream, Is.EqualTo(number % 2 == 0 ? WorkerStream.Output : WorkerStream.Error));
                Assert.That((parts[3], line.IsComplete), Is.EqualTo(($"äö{new string('x', number * 40)}€", true)));
                Assert.That(line.Worker, Does.StartWith("four-"));
            }
            Assert.That(said.GroupBy(line => line.ProcessId).All(group => group.DistinctBy(line => line.Worker).Count() == 1), "one name for each process");
            foreach (var stream in said.GroupBy(line => (line.ProcessId, line.Stream, line.Text.Split(' ')[1])))
                Assert.That(stream.Select(line => line.Text.Length), Is.Ordered, $"the order of {stream.Key}");
        });
    }

    /// <summary>A forked worker shares its siblings' pipes, and a copy of the thread that reads them must not read there. Without the pause of that thread lines were lost in three runs of five.</summary>
    [TestCaseSource(typeof(PoolMethods), nameof(PoolMethods.All))]
    public async Task No_line_is_lost_while_workers_are_started_beside_those_that_write(string method)
    {
        int[] counts = await PoolMethods.RunAsync(method, static async method =>
        {
            int lines = 0;
            await using (var pool = new WorkerPool(new WorkerPoolOptions { Workers = 3, MinWorkers = 3, MaxTasksPerWorker = 1, Method = method, Output = _ => Interlocked.Increment(ref lines) }))
            {
                await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => pool.RunAsync(static () =>
                {
                    string line = new('x', 2000);
                    for (int i = 0; i < 300; i++)
                        Console.WriteLine(line);
                })));
            }
            return new[] { lines };
        }, Limit);
        Assert.That(counts[0], Is.EqualTo(30 * 300));
    }

    [TestCaseSource(typeof(PoolMethods), nameof(PoolMethods.All))]
    public async Task What_a_worker_wrote_before_it_was_killed_comes_the_piece_of_a_line_too(string method)
    {
        (Said[] said, string error) = await PoolMethods.RunAsync(method, static async method =>
        {
            var lines = new ConcurrentQueue<Said>();
            string error = "none";
            await using (var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Method = method, Output = line => lines.Enqueue(Of(line)) }))
            {
                try
                {
                    await pool.RunAsync(static () =>
                    {
                        for (int i = 0; i < 300; i++)
                            Console.WriteLine(i);
                        Console.Error.Write("the last error\nand half a li");
                        Console.Write("half a line");
                        Kill();
                    });
                }
                catch (ChildCrashedException e)
                {
                    error = e.StandardError;
                }
            }
            return (lines.ToArray(), error);
        }, Limit);
        Assert.That(said.Where(line => line.Stream == WorkerStream.Output).Select(line => (line.Text, line.IsComplete)),
            Is.EqualTo(Enumerable.Range(0, 300).Select(i => (i.ToString(CultureInfo.InvariantCulture), true)).Append(("half a line", false))));
        Assert.That(said.Where(line => line.Stream == WorkerStream.Error).Select(line => (line.Text, line.IsComplete)), Is.EqualTo(new[] { ("the last error", true), ("and half a li", false) }));
        if (Environment.GetEnvironmentVariable("STARTMETHODS_PORTABLE") != "1")
            Assert.That(error, Is.EqualTo("the last error\nand half a li"), "the report on the crash has them as ever");
    }

    [Test]
    public async Task A_line_without_end_comes_in_pieces_that_break_no_character()
    {
        var lines = new ConcurrentQueue<WorkerLine>();
        string text = string.Concat(Enumerable.Repeat("€ä𝄞x", 20_000));
        await using (var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Output = lines.Enqueue }))
            await pool.RunAsync(static text => Console.WriteLine(text + "\r\nnext\n"), text, Limit);
        Assert.That(lines.Select(line => line.Text), Has.All.Length.LessThanOrEqualTo(16 * 1024));
        Assert.That(string.Concat(lines.TakeWhile(line => line.Text != "next").Select(line => line.Text)), Is.EqualTo(text));
        Assert.That(lines.SkipWhile(line => line.Text != "next").Select(line => line.Text), Is.EqualTo(new[] { "next", "" }));
        Assert.That(lines.Count(line => !line.IsComplete), Is.GreaterThan(10), "the pieces say that they are some");
    }

    [Test]
    public async Task A_handler_that_never_returns_holds_up_neither_tasks_nor_the_disposal_and_memory_stays()
    {
        using var hang = new ManualResetEventSlim();
        int handled = 0;
        long before = GC.GetTotalMemory(forceFullCollection: true);
        await using (var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, Output = _ => { Interlocked.Increment(ref handled); hang.Wait(); } }))
        {
            await Task.WhenAll(pool.RunAsync(Flood, 64, Limit), pool.RunAsync(Flood, 64, Limit)); // 64 MiB each
            Assert.That(GC.GetTotalMemory(forceFullCollection: true) - before, Is.LessThan(16 * 1024 * 1024));
            Assert.That(await pool.RunAsync(static x => x + 1, 1, Limit), Is.EqualTo(2));
            Assert.That(pool.Statistics.OutputLost, Is.GreaterThan(100_000));
            Assert.That(handled, Is.EqualTo(1));
        }
        hang.Set();
    }

    [Test]
    public async Task A_handler_that_is_slow_makes_the_worker_wait_and_loses_nothing()
    {
        int handled = 0;
        long before = GC.GetTotalMemory(forceFullCollection: true), most = 0;
        PoolStatistics statistics;
        await using (var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Output = Handle }))
        {
            await pool.RunAsync(Flood, 8, Limit);
            statistics = pool.Statistics;
        }
        Assert.That((handled, statistics.OutputLost), Is.EqualTo((8 * 1024 * 8, 0L)));
        Assert.That(most - before, Is.LessThan(16 * 1024 * 1024));

        void Handle(WorkerLine line)
        {
            if (++handled % 2000 != 0)
                return;
            most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: false));
            Thread.Sleep(50); // this is what it is about: it is slow
        }
    }

    private static void Flood(int megabytes)
    {
        string line = new('x', 127);
        for (int i = 0; i < megabytes * 1024 * 8; i++)
            Console.WriteLine(line);
    }

    [Test]
    public async Task A_handler_may_use_its_own_pool_and_throw()
    {
        WorkerPool? pool = null;
        var seen = new ConcurrentQueue<string>();
        await using (pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Output = Handle }))
        {
            await pool.RunAsync(static () => Console.WriteLine("one"), Limit);
            await pool.RunAsync(static () => Console.WriteLine("two"), Limit);
            await Eventually(() => seen.Count == 2, "both lines were handled");
        }
        Assert.That(seen, Is.EqualTo(new[] { "one, 4", "two, 4" }));

        void Handle(WorkerLine line)
        {
            seen.Enqueue($"{line.Text}, {pool!.RunAsync(static x => x * 2, 2).GetAwaiter().GetResult()}");
            throw new InvalidOperationException("this handler always throws");
        }
    }

    [Test]
    public async Task What_a_worker_has_left_behind_may_still_write_and_holds_nothing_up()
    {
        var lines = new ConcurrentQueue<WorkerLine>();
        int left;
        await using (var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, MaxTasksPerWorker = 1, Output = lines.Enqueue }))
        {
            left = await pool.RunAsync(static () =>
            {
                Console.WriteLine("the worker");
                using Process program = Process.Start(new ProcessStartInfo("sh", ["-c", "read line; echo left behind; sleep 60"]) { RedirectStandardInput = true })!;
                program.StandardInput.WriteLine();
                return program.Id;
            }, Limit);
            await Eventually(() => lines.Count == 2, "both have written");
        }
        Assert.That(lines.Select(line => line.Text), Is.EqualTo(new[] { "the worker", "left behind" }));
        using Process grandchild = Process.GetProcessById(left);
        grandchild.Kill(entireProcessTree: true);
    }
}
