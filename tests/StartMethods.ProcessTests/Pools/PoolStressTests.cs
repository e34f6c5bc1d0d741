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

    [Test, CancelAfter(1_800_000)]
    public async Task Kills_among_many_tasks_lose_duplicate_and_falsify_nothing(CancellationToken limit)
    {
        int tasks = 5000 * Factor, kills = 2 + 5 * Factor / 2;
        string ran = Path.Combine(Path.GetTempPath(), $"sm-ran-{Environment.ProcessId}");
        try
        {
            await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
            int ended = 0, succeeded = 0, wrong = 0;
            var processes = new ConcurrentDictionary<int, bool>();
            var failed = new ConcurrentDictionary<int, bool>();
            Task killer = KillAsync(kills, tasks, () => Volatile.Read(ref ended), processes, limit);
            await Parallel.ForAsync(0, tasks, new ParallelOptions { MaxDegreeOfParallelism = 64, CancellationToken = limit }, async (i, _) =>
            {
                try
                {
                    (long answer, int process) = await pool.RunAsync(static job => RunOnce(job.Id, job.Path), (Id: i, Path: ran), CancellationToken.None);
                    processes.TryAdd(process, true);
                    Interlocked.Increment(ref succeeded);
                    if (answer != i * 1_000_003L)
                        Interlocked.Increment(ref wrong);
                }
                catch (ChildCrashedException)
                {
                    failed[i] = true;
                }
                Interlocked.Increment(ref ended);
            });
            await killer;
            int[] ids = [.. MemoryMarshal.Cast<byte, int>(await File.ReadAllBytesAsync(ran, limit))];
            Assert.Multiple(() =>
            {
                Assert.That(wrong, Is.Zero, "wrong answers");
                Assert.That(succeeded + failed.Count, Is.EqualTo(tasks), "tasks that were lost");
                Assert.That(ids.Length - ids.Distinct().Count(), Is.Zero, "tasks that ran twice");
                Assert.That(ids.Count(id => !failed.ContainsKey(id)), Is.EqualTo(succeeded), "tasks that succeeded and ran");
                Assert.That(failed.Count, Is.LessThanOrEqualTo(kills), "tasks that failed though their worker was not killed");
                Assert.That(pool.Statistics.Submitted, Is.EqualTo(tasks));
            });
            TestContext.Out.WriteLine($"{tasks} tasks, {kills} kills: {failed.Count} failed, {pool.Statistics}");
        }
        finally
        {
            File.Delete(ran);
        }
    }

    private static (long Answer, int Process) RunOnce(int id, string path)
    {
        // O_APPEND, which FileMode.Append is not (it writes where the end was when it opened): two workers would write over each other.
        int file = Syscall.open(path, OpenFlags.O_WRONLY | OpenFlags.O_APPEND | OpenFlags.O_CREAT | OpenFlags.O_CLOEXEC, FilePermissions.S_IRUSR | FilePermissions.S_IWUSR);
        unsafe
        {
            Syscall.write(file, &id, sizeof(int));
        }
        Syscall.close(file);
        return (id * 1_000_003L, Environment.ProcessId);
    }

    private static async Task KillAsync(int kills, int tasks, Func<int> ended, ConcurrentDictionary<int, bool> processes, CancellationToken limit)
    {
        for (int kill = 1; kill <= kills; kill++)
        {
            while (ended() < (long)tasks * kill / (kills + 1) || processes.IsEmpty)
                await Task.Delay(1, limit);
            int victim = processes.Keys.ElementAt(Random.Shared.Next(processes.Count));
            processes.TryRemove(victim, out _);
            if (!Surroundings.IsAlive(victim))
                continue;
            using Process process = Process.GetProcessById(victim);
            process.Kill();
        }
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
    public async Task The_memory_of_the_application_stays_flat(CancellationToken limit)
    {
        int tasks = 20_000 * Factor;
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        long[] quarters = new long[4];
        for (int quarter = 0; quarter < 4; quarter++)
        {
            int next = 0;
            await foreach (int x in pool.MapAsync(Enumerable.Range(0, tasks / 4), static x => x, new MapOptions { ChunkSize = 1 }, limit))
                Assert.That(x, Is.EqualTo(next++));
            quarters[quarter] = GC.GetTotalMemory(forceFullCollection: true);
        }
        TestContext.Out.WriteLine(string.Join(", ", quarters.Select(bytes => $"{bytes / 1024.0:0} KiB")));
        Assert.That(quarters[3], Is.LessThanOrEqualTo(quarters[1] * 1.05 + 200_000));
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
