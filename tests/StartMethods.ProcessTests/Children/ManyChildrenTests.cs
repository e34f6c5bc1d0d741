using System.Diagnostics;

namespace StartMethods.ProcessTests;

public class ManyChildrenTests : IsolatedProcessTest
{
    private static readonly int Scale = int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int scale) ? Math.Max(1, scale) : 1;

    [Test, Category("Stress"), CancelAfter(600_000)]
    public async Task Fifty_at_a_time_all_answer_beside_a_loop_of_Process_Start_that_stays_healthy()
    {
        int count = 50 * Scale, started = 0;
        using CancellationTokenSource done = new();
        Task<int> others = Task.Run(async () =>
        {
            int healthy = 0;
            for (; !done.IsCancellationRequested; healthy++)
            {
                using Process other = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "exit 5"]))!;
                await other.WaitForExitAsync(Limit);
                Assert.That(other.ExitCode, Is.EqualTo(5));
            }
            return healthy;
        });
        using SemaphoreSlim slots = new(50);
        long[] answers = await Task.WhenAll(Enumerable.Range(0, count).Select(async i =>
        {
            await slots.WaitAsync(Limit);
            try
            {
                Interlocked.Increment(ref started);
                return await ChildProcess.RunAsync(static i => (long)i * i, i, Limit);
            }
            finally
            {
                slots.Release();
            }
        }));
        done.Cancel();
        Assert.That(await others, Is.GreaterThan(0));
        Assert.That(answers, Is.EqualTo(Enumerable.Range(0, count).Select(i => (long)i * i)));
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
