using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Mono.Unix.Native;

namespace StartMethods.ProcessTests;

/// <summary>Counts that grow with <c>./build.sh stress</c>: factor 200 makes a million tasks with 500 kills.</summary>
[Category("Stress")]
public class PoolStressTests
{
    private static int Factor => int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int factor) ? factor : 1;

    /// <summary>What a task carries, and what it answers: both are checked where they arrive.</summary>
    private readonly record struct Numbered(int Id, ulong Hash, int Process)
    {
        internal static Numbered Of(int id, ulong salt) => new(id, HashOf(id, salt), Environment.ProcessId);

        internal bool IsWhole(ulong salt) => Hash == HashOf(Id, salt);

        private static ulong HashOf(int id, ulong salt) => (((ulong)id + salt) * 0x9E3779B97F4A7C15) ^ (salt >> 7);
    }

    private const ulong Sent = 0x5353, Answered = 0x4141;

    [Test, CancelAfter(1_800_000)]
    public async Task Kills_among_many_tasks_lose_duplicate_and_falsify_nothing(CancellationToken limit)
    {
        int tasks = 5000 * Factor, kills = Math.Max(2, 5 * Factor / 2);
        string ran = Path.Combine(Path.GetTempPath(), $"sm-ran-{Environment.ProcessId}");
        Stopwatch time = Stopwatch.StartNew();
        try
        {
            await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
            int ended = 0, succeeded = 0, wrong = 0;
            var processes = new ConcurrentDictionary<int, bool>();
            var failed = new ConcurrentDictionary<int, int>();
            using var done = CancellationTokenSource.CreateLinkedTokenSource(limit);
            Task<HashSet<int>> killer = KillAsync(kills, tasks, () => Volatile.Read(ref ended), processes, done.Token);
            await Parallel.ForAsync(0, tasks, new ParallelOptions { MaxDegreeOfParallelism = 64, CancellationToken = limit }, async (i, _) =>
            {
                try
                {
                    Numbered answer = await pool.RunAsync(static job => RunOnce(job.Task, job.Path), (Task: Numbered.Of(i, Sent), Path: ran), CancellationToken.None);
                    processes.TryAdd(answer.Process, true);
                    Interlocked.Increment(ref succeeded);
                    if (answer.Id != i || !answer.IsWhole(Answered))
                        Interlocked.Increment(ref wrong);
                }
                catch (ChildCrashedException e)
                {
                    failed[i] = e.ProcessId;
                }
                Interlocked.Increment(ref ended);
            });
            done.CancelAfter(TimeSpan.FromSeconds(5)); // what is not killed by now was not killed among the tasks, and is missing below
            HashSet<int> killed = await killer;
            int[] ids = [.. MemoryMarshal.Cast<byte, int>(await File.ReadAllBytesAsync(ran, limit))];
            while (pool.Statistics.WorkersCrashed < killed.Count)
                await Task.Delay(5, limit); // the last death may have come after the last task
            PoolStatistics statistics = pool.Statistics;
            TestContext.Out.WriteLine($"{tasks} tasks, {killed.Count} kills in {time.Elapsed.TotalSeconds:0.0} s: {succeeded} succeeded, {failed.Count} failed; {statistics}");
            Assert.Multiple(() =>
            {
                Assert.That(wrong, Is.Zero, "wrong answers");
                Assert.That(succeeded + failed.Count, Is.EqualTo(tasks), "tasks that were lost");
                Assert.That(ids.Length - ids.Distinct().Count(), Is.Zero, "tasks that ran twice");
                Assert.That(ids.Count(id => !failed.ContainsKey(id)), Is.EqualTo(succeeded), "tasks that succeeded and ran");
                Assert.That(killed, Has.Count.EqualTo(kills), "kills that hit a living worker");
                Assert.That(statistics.WorkersCrashed, Is.EqualTo(kills), "workers that died");
                Assert.That(failed.Values, Is.SubsetOf(killed), "failed by the death of a worker that was killed");
                Assert.That(failed.Values, Is.Unique, "one death fails the one task that ran");
                Assert.That((statistics.Submitted, statistics.Succeeded, statistics.Failed, statistics.Cancelled), Is.EqualTo(((long)tasks, (long)succeeded, (long)failed.Count, 0L)));
            });
        }
        finally
        {
            File.Delete(ran);
        }
    }

    private static Numbered RunOnce(Numbered task, string path)
    {
        if (!task.IsWhole(Sent))
            throw new InvalidDataException($"task {task.Id} arrived damaged");
        int id = task.Id;
        // O_APPEND, which FileMode.Append is not (it writes where the end was when it opened): two workers would write over each other.
        int file = Syscall.open(path, OpenFlags.O_WRONLY | OpenFlags.O_APPEND | OpenFlags.O_CREAT | OpenFlags.O_CLOEXEC, FilePermissions.S_IRUSR | FilePermissions.S_IWUSR);
        unsafe
        {
            Syscall.write(file, &id, sizeof(int));
        }
        Syscall.close(file);
        return Numbered.Of(id, Answered);
    }

    /// <summary>Kills workers at even steps of the work; each is alive when it is hit, and is hit once. Ends early if the work is over before that.</summary>
    private static async Task<HashSet<int>> KillAsync(int kills, int tasks, Func<int> ended, ConcurrentDictionary<int, bool> processes, CancellationToken limit)
    {
        HashSet<int> killed = [];
        try
        {
            while (killed.Count < kills)
            {
                while (ended() < (long)tasks * (killed.Count + 1) / (kills + 2))
                    await Task.Delay(1, limit);
                int[] alive = [.. processes.Keys.Where(id => !killed.Contains(id) && Surroundings.IsAlive(id))];
                if (alive.Length == 0)
                {
                    await Task.Delay(1, limit); // the replacements have not answered yet
                    continue;
                }
                int victim = alive[Random.Shared.Next(alive.Length)];
                processes.TryRemove(victim, out _);
                if (Syscall.kill(victim, Signum.SIGKILL) == 0)
                    killed.Add(victim);
            }
        }
        catch (OperationCanceledException)
        {
            // The count tells.
        }
        return killed;
    }

    [Test, CancelAfter(1_800_000)]
    public async Task Cancellations_that_race_with_everything_leave_each_task_with_one_end(CancellationToken limit)
    {
        int rounds = 300 * Factor;
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, Grace = TimeSpan.FromSeconds(1) });
        int returned = 0, cancelled = 0;
        await Parallel.ForAsync(0, rounds, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = limit }, async (i, _) =>
        {
            using var source = new CancellationTokenSource();
            Task<int> task = pool.RunAsync(static (x, token) => { token.WaitHandle.WaitOne(x % 4); return x; }, i, source.Token);
            if (i % 3 == 0)
                await Task.Yield();
            if (i % 5 != 0)
                await Task.Delay(i % 7, CancellationToken.None);
            await source.CancelAsync();
            try
            {
                if (await task == i)
                    Interlocked.Increment(ref returned);
            }
            catch (OperationCanceledException)
            {
                Interlocked.Increment(ref cancelled);
            }
        });
        Assert.That(returned + cancelled, Is.EqualTo(rounds));
        PoolStatistics s = pool.Statistics;
        Assert.That((s.Submitted, s.Succeeded, s.Cancelled, s.Failed), Is.EqualTo((s.Succeeded + s.Cancelled, (long)returned, s.Submitted - returned, 0L)), s.ToString());
    }

    [Test, CancelAfter(1_800_000)]
    public async Task Disposals_that_race_with_everything_leave_each_task_with_one_end(CancellationToken limit)
    {
        const int Each = 25;
        int pools = 8 * Factor, returned = 0, cancelled = 0, rejected = 0;
        var grace = TimeSpan.FromSeconds(1);
        for (int round = 0; round < pools; round++)
        {
            var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, Grace = grace });
            using var source = new CancellationTokenSource();
            Task<int> first = pool.RunAsync(static x => x, 0, CancellationToken.None);
            if (round % 3 > 0)
                await first; // else while the workers start
            Task<int>[] tasks = new Task<int>[Each];
            Task submitting = Task.Run(() =>
            {
                for (int i = 0; i < Each; i++)
                    tasks[i] = pool.RunAsync(static (x, token) => { token.WaitHandle.WaitOne(x % 3); return x; }, i, i % 2 == 0 ? source.Token : CancellationToken.None);
            }, limit);
            Task cancelling = Task.Run(source.Cancel, limit);
            if (round % 2 > 0)
                await Task.Delay(round % 4, limit);
            Stopwatch time = Stopwatch.StartNew();
            await Task.WhenAll(submitting, cancelling, pool.DisposeAsync().AsTask(), Task.Run(async () => await pool.DisposeAsync(), limit));
            Assert.That(time.Elapsed, Is.LessThan(grace + TimeSpan.FromSeconds(3)), "a disposal");
            foreach (Task<int> task in tasks.Append(first))
            {
                Assert.That(task.IsCompleted, Is.True, "a task has no end though its pool is gone");
                try
                {
                    _ = await task;
                    returned++;
                }
                catch (OperationCanceledException)
                {
                    cancelled++;
                }
                catch (ObjectDisposedException)
                {
                    rejected++;
                }
            }
            PoolStatistics s = pool.Statistics;
            Assert.That(s.Submitted, Is.EqualTo(s.Succeeded + s.Failed + s.Cancelled), s.ToString());
        }
        TestContext.Out.WriteLine($"{pools} pools, {pools * (Each + 1)} tasks: {returned} returned, {cancelled} cancelled, {rejected} rejected");
        Assert.That(returned + cancelled + rejected, Is.EqualTo(pools * (Each + 1)));
    }

    [Test, CancelAfter(1_800_000)]
    public async Task The_memory_of_the_application_stays_flat(CancellationToken limit)
    {
        int tasks = 20_000 * Factor;
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        (long Managed, long Resident, int Threads)[] quarters = new (long, long, int)[4];
        using Process self = Process.GetCurrentProcess();
        for (int quarter = 0; quarter < 4; quarter++)
        {
            int next = 0;
            await foreach (int x in pool.MapAsync(Enumerable.Range(0, tasks / 4), static x => x, new MapOptions { ChunkSize = 1 }, limit))
            {
                if (x != next++)
                    Assert.Fail($"{x} came where {next - 1} was due");
            }
            long managed = GC.GetTotalMemory(forceFullCollection: true);
            self.Refresh();
            quarters[quarter] = (managed, self.WorkingSet64, self.Threads.Count);
        }
        TestContext.Out.WriteLine($"{tasks} tasks: " + string.Join(", ", quarters.Select(q => $"{q.Managed / 1024.0:0} KiB managed, {q.Resident >> 10} KiB resident, {q.Threads} threads")));
        Assert.That(quarters[3].Managed, Is.LessThanOrEqualTo(quarters[1].Managed * 1.05 + 200_000));
        Assert.That(quarters[3].Resident, Is.LessThanOrEqualTo(quarters[1].Resident * 1.05 + (4 << 20)));
    }

    [Test, CancelAfter(60_000)]
    public async Task When_the_application_is_killed_no_worker_is_left_behind(CancellationToken limit)
    {
        string file = Path.Combine(Path.GetTempPath(), $"sm-workers-{Environment.ProcessId}");
        try
        {
            await using ChildProcess application = ChildProcess.Start(async () =>
            {
                var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, MinWorkers = 2 });
                int[] ids = await Task.WhenAll(pool.RunAsync(static () => { Thread.Sleep(300); return Environment.ProcessId; }), pool.RunAsync(static () => { Thread.Sleep(300); return Environment.ProcessId; }));
                _ = pool.RunAsync(static () => Thread.Sleep(Timeout.Infinite));
                await File.WriteAllTextAsync(file + ".part", string.Join(' ', ids));
                File.Move(file + ".part", file);
                await Task.Delay(Timeout.Infinite);
            }, new ChildOptions { Method = StartMethod.Spawn });
            while (!File.Exists(file))
                await Task.Delay(20, limit);
            int[] workers = [.. (await File.ReadAllTextAsync(file, limit)).Split(' ').Select(int.Parse)];
            Assert.That(workers.All(Surroundings.IsAlive), Is.True);
            application.Kill();
            Stopwatch time = Stopwatch.StartNew();
            while (workers.Any(Surroundings.IsAlive))
            {
                Assert.That(time.Elapsed.TotalSeconds, Is.LessThan(4), "workers outlive their application");
                await Task.Delay(20, limit);
            }
            TestContext.Out.WriteLine($"the last worker was gone after {time.Elapsed.TotalMilliseconds:0} ms");
        }
        finally
        {
            File.Delete(file);
        }
    }
}
