using System.Diagnostics;

namespace StartMethods.ProcessTests;

public class ManyChildrenTests : IsolatedProcessTest
{
    private static readonly int Scale = int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int scale) ? Math.Max(1, scale) : 1;

    [Test, Category("Stress"), CancelAfter(600_000)]
    public async Task Spawned_functions_and_programs_fifty_at_a_time_lose_nothing_beside_a_loop_of_Process_Start_that_stays_healthy()
    {
        int functions = 50 * Scale, programs = 250 * Scale, lost = 0, healthy = 0;
        int threads = Process.GetCurrentProcess().Threads.Count;
        using CancellationTokenSource done = new();
        Task others = Task.Run(async () =>
        {
            for (; !done.IsCancellationRequested; healthy++)
            {
                using Process other = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", $"exit {healthy % 100}"]))!;
                await other.WaitForExitAsync(Limit);
                Assert.That(other.ExitCode, Is.EqualTo(healthy % 100));
            }
        });
        Stopwatch time = Stopwatch.StartNew();
        await Parallel.ForAsync(0, functions + programs, new ParallelOptions { MaxDegreeOfParallelism = 50, CancellationToken = Limit }, async (i, _) =>
        {
            bool right = i % 6 == 0
                ? await ChildProcess.RunAsync(static i => (long)i * i, i, new ChildOptions { Method = StartMethod.Spawn }, Limit) == (long)i * i
                : await SpawnedProcess.RunAsync("/bin/sh", ["-c", $"echo {i}; exit {i % 100}"], cancellationToken: Limit) is { } output
                    && output.Text == $"{i}\n" && output.ExitStatus.Code == i % 100;
            if (!right)
                Interlocked.Increment(ref lost);
        });
        await done.CancelAsync();
        await others;
        Assert.That((lost, healthy > 0), Is.EqualTo((0, true)));
        int now = Process.GetCurrentProcess().Threads.Count;
        Assert.That(now, Is.LessThan(threads + 60), "no thread for each child"); // the pool's own may grow
        TestContext.Out.WriteLine($"{functions} functions, {programs} programs, {healthy} by Process.Start in {time.Elapsed.TotalSeconds:0} s; threads {threads} before, {now} after");
    }

    [Test, Category("Stress"), CancelAfter(600_000)]
    public async Task Every_way_to_end_at_once_gives_each_child_its_one_end()
    {
        Random random = new(17);
        for (int round = 0; round < 2 * Scale; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
            {
                await using ChildProcess<int> child = ChildProcess.Start(static async t => { await Task.Delay(30, t); return 1; }, new ChildOptions { Timeout = TimeSpan.FromMilliseconds(20 + 40 * i), Grace = TimeSpan.FromMilliseconds(20) });
                await Task.Delay(random.Next(0, 150), Limit);
                (i % 4 == 0 ? child.Kill : i % 4 == 1 ? (Action)child.Cancel : child.Terminate)();
                try
                {
                    Assert.That(await child.Result, Is.EqualTo(1));
                }
                catch (Exception e) when (e is ChildCrashedException or ChildTimeoutException or OperationCanceledException)
                {
                    // one of the ends that were asked for
                }
                Assert.That((await child.WaitForExitAsync(Limit)).IsKnown);
            }));
        }
    }
}
