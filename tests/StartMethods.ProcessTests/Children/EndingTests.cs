using System.Diagnostics;
using System.Runtime.InteropServices;

namespace StartMethods.ProcessTests;

/// <summary>Cancelling, timing out, disposing, signalling: every child ends, and says how.</summary>
public class EndingTests(string method) : ChildTest(method)
{
    private static readonly ChildOptions Quick = new() { Grace = TimeSpan.FromMilliseconds(300) };

    [Test]
    public async Task Cancelling_cancels_the_bodys_token_in_the_child()
    {
        using CancellationTokenSource source = new();
        string seen = Path.Combine(Path.GetTempPath(), $"sm-cancel-{Environment.ProcessId}");
        try
        {
            Task run = ChildProcess.RunAsync(static async (path, token) =>
            {
                File.WriteAllText(path, "started");
                try
                {
                    await Task.Delay(Timeout.Infinite, token);
                }
                finally
                {
                    File.WriteAllText(path, token.IsCancellationRequested ? "asked" : "other");
                }
            }, seen, source.Token);
            await Eventually(() => File.Exists(seen) && File.ReadAllText(seen) == "started", "the body has started");
            source.Cancel();
            OperationCanceledException error = (await Assert.CatchAsync<OperationCanceledException>(() => run))!;
            Assert.That(error.CancellationToken, Is.EqualTo(source.Token));
            Assert.That(File.ReadAllText(seen), Is.EqualTo("asked"));
        }
        finally
        {
            File.Delete(seen);
        }
    }

    [Test]
    public async Task A_body_that_ignores_its_token_gets_SIGTERM_and_one_that_ignores_that_gets_SIGKILL()
    {
        using CancellationTokenSource source = new();
        await using ChildProcess deaf = ChildProcess.Start((CancellationToken _) => Thread.Sleep(Timeout.Infinite), Quick);
        await using ChildProcess stubborn = ChildProcess.Start((CancellationToken _) =>
        {
            using PosixSignalRegistration registration = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => context.Cancel = true);
            Thread.Sleep(Timeout.Infinite);
        }, Quick);
        await Running(deaf, stubborn);
        deaf.Cancel();
        stubborn.Cancel();
        await Assert.CatchAsync<OperationCanceledException>(() => deaf.Result);
        await Assert.CatchAsync<OperationCanceledException>(() => stubborn.Result);
        ExitStatus first = await deaf.WaitForExitAsync(Limit), second = await stubborn.WaitForExitAsync(Limit);
        Assert.That(first.Code == 143 || first.SignalNumber == 15, $"{first}: the runtime's own way to end by SIGTERM");
        Assert.That(second.SignalNumber, Is.EqualTo(9));
    }

    [Test]
    public async Task A_body_without_a_token_is_ended_at_once_when_cancelled()
    {
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(300));
        Stopwatch time = Stopwatch.StartNew();
        await Assert.CatchAsync<OperationCanceledException>(() => ChildProcess.RunAsync(static () => Thread.Sleep(Timeout.Infinite), source.Token));
        Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(4)));
    }

    [Test]
    public async Task A_token_that_is_cancelled_already_starts_nothing()
    {
        IReadOnlyDictionary<int, string> before = Surroundings.Children();
        await Assert.CatchAsync<OperationCanceledException>(() => ChildProcess.RunAsync(static () => 1, new CancellationToken(true)));
        Assert.That(Surroundings.Children().Keys, Is.EquivalentTo(before.Keys));
    }

    [TestCase(0), TestCase(5), TestCase(15), TestCase(30), TestCase(60)]
    public void Cancelling_at_any_moment_gives_one_end_and_leaves_nothing(int milliseconds)
    {
        using CancellationTokenSource source = new(milliseconds);
        try
        {
            ChildProcess.RunAsync(static async token => { await Task.Delay(20, token); return 1; }, source.Token).Wait(Limit);
        }
        catch (AggregateException e)
        {
            Assert.That(e.InnerException, Is.InstanceOf<OperationCanceledException>());
        }
    }

    [Test]
    public async Task A_child_that_takes_too_long_is_a_timeout_and_is_ended()
    {
        ChildTimeoutException error = (await Assert.ThrowsAsync<ChildTimeoutException>(() =>
            ChildProcess.RunAsync(static () => Thread.Sleep(Timeout.Infinite), new ChildOptions { Timeout = TimeSpan.FromMilliseconds(400), Grace = TimeSpan.FromMilliseconds(300) })))!;
        Assert.That(error.Limit, Is.EqualTo(TimeSpan.FromMilliseconds(400)));
    }

    [Test]
    public async Task A_stopped_child_times_out_too()
    {
        await Assert.ThrowsAsync<ChildTimeoutException>(() => ChildProcess.RunAsync(static () => Stop(), new ChildOptions { Timeout = TimeSpan.FromMilliseconds(600), Grace = TimeSpan.FromMilliseconds(200) }));
    }

    [Test]
    public async Task A_child_that_was_stopped_and_continued_in_time_answers()
    {
        await using ChildProcess<int> child = ChildProcess.Start(static () => { Thread.Sleep(300); return 3; });
        child.Signal((PosixSignal)19);
        await Task.Delay(200);
        child.Signal((PosixSignal)18);
        Assert.That(await child.Result, Is.EqualTo(3));
    }

    [TestCase(0), TestCase(-2), TestCase(long.MinValue)]
    public void A_timeout_that_makes_no_sense_is_an_argument_error(long milliseconds) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new ChildOptions().Timeout = milliseconds == long.MinValue ? TimeSpan.MinValue : TimeSpan.FromMilliseconds(milliseconds));

    [Test]
    public async Task A_timeout_longer_than_a_timer_can_count_is_no_timeout_at_once() =>
        Assert.That(await ChildProcess.RunAsync(static () => 1, new ChildOptions { Timeout = TimeSpan.FromDays(100_000), StartTimeout = TimeSpan.MaxValue }), Is.EqualTo(1));

    [Test]
    public async Task Disposing_ends_the_child_and_may_be_repeated_from_anywhere()
    {
        ChildProcess child = ChildProcess.Start(static () => Thread.Sleep(Timeout.Infinite), Quick);
        await Running(child);
        Assert.That(ChildProcess.Active, Does.Contain(child));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () => await child.DisposeAsync())));
        await child.DisposeAsync();
        Assert.That(child.HasExited);
        Assert.That(ChildProcess.Active, Does.Not.Contain(child));
        await Assert.CatchAsync<OperationCanceledException>(() => child.Result);
    }

    [Test]
    public async Task Waiting_can_time_out_be_cancelled_and_be_repeated()
    {
        await using ChildProcess child = ChildProcess.Start(static () => Thread.Sleep(Timeout.Infinite), Quick);
        Assert.That(child.WaitForExit(TimeSpan.Zero), Is.False);
        Assert.That(child.WaitForExit(TimeSpan.FromMilliseconds(20)), Is.False);
        using CancellationTokenSource source = new(20);
        await Assert.CatchAsync<OperationCanceledException>(() => child.WaitForExitAsync(source.Token));
        Assert.That(child.HasExited, Is.False);
        Assert.That(child.ExitStatus, Is.Null);
        child.Kill();
        Assert.That(child.WaitForExit().SignalNumber, Is.EqualTo(9));
        Assert.That((await child.WaitForExitAsync(Limit)).SignalNumber, Is.EqualTo(9));
        child.Kill();
        child.Terminate();
        Assert.That(child.Usage!.MaxResidentBytes, Is.GreaterThan(1 << 20));
    }

    [Test]
    public async Task Terminate_and_Kill_are_told_apart_in_the_status()
    {
        await using ChildProcess child = ChildProcess.Start(static () => Thread.Sleep(Timeout.Infinite));
        await Running(child);
        child.Terminate();
        ChildCrashedException error = (await Assert.ThrowsAsync<ChildCrashedException>(() => child.Result))!;
        Assert.That(error.ExitStatus.Code == 143 || error.ExitStatus.SignalNumber == 15, error.ExitStatus.ToString());
    }

    [Test]
    public void Blocking_on_the_result_under_a_single_threaded_context_does_not_deadlock()
    {
        Thread thread = new(() =>
        {
            SynchronizationContext.SetSynchronizationContext(new NeverRuns());
            Assert.That(ChildProcess.RunAsync(static () => 4).GetAwaiter().GetResult(), Is.EqualTo(4));
        });
        thread.Start();
        Assert.That(thread.Join(10_000));
    }

    [Test]
    public async Task An_exhausted_thread_pool_does_not_keep_a_child_from_being_ended()
    {
        ManualResetEventSlim gate = new(); // not disposed of: items that are still queued at the end wait for it later
        ThreadPool.GetMinThreads(out int workers, out _);
        ChildProcess child = ChildProcess.Start(static () => Thread.Sleep(Timeout.Infinite), new ChildOptions { Timeout = TimeSpan.FromMilliseconds(500), Grace = TimeSpan.FromMilliseconds(100) });
        for (int i = 0; i < workers + 30; i++)
            ThreadPool.QueueUserWorkItem(_ => gate.Wait());
        try
        {
            int id = child.Id;
            Stopwatch time = Stopwatch.StartNew();
            while (Surroundings.IsAlive(id) && time.Elapsed < TimeSpan.FromSeconds(5))
                Thread.Sleep(5);
            Assert.That(Surroundings.IsAlive(id), Is.False, "the deadline is kept by the reactor's thread");
        }
        finally
        {
            gate.Set();
        }
        await child.DisposeAsync();
    }

    private static async Task Running(params ChildProcess[] children)
    {
        // A handler of SIGTERM is installed some time after the start: a child that is asked too early dies of it at once, which is another test.
        foreach (ChildProcess child in children)
            await Eventually(() => Listens(child.Id), "the child's body runs");
        await Task.Delay(200);
    }

    // The thread that reads the channel is started right before the body.
    private static bool Listens(int process)
    {
        try
        {
            return Directory.GetDirectories($"/proc/{process}/task").Any(task => File.ReadAllText($"{task}/comm").StartsWith("StartMethods Ch", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            return false; // a thread ended while we looked
        }
    }

    private static void Stop()
    {
        using Process self = Process.GetCurrentProcess();
        Process.Start("kill", ["-STOP", self.Id.ToString()])!.WaitForExit();
        Thread.Sleep(Timeout.Infinite);
    }

    private sealed class NeverRuns : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
        }
    }
}
