using System.Diagnostics;
using StartMethods.Interop;

namespace StartMethods.ProcessTests.ForkServers;

/// <summary>Threads that block on the result of a spare child read it themselves for a moment, and then leave it to the reactor: nothing may differ but the time.</summary>
public class SpareAnswersTests : IsolatedProcessTest
{
    private ForkServer _server = null!;

    [SetUp]
    public async Task Fill()
    {
        _server = new ForkServer(new ForkServerOptions { SpareChildren = 1 });
        await _server.StartAsync(Limit);
        await Spare();
    }

    [TearDown]
    public async Task End() => await _server.DisposeAsync();

    // Around the moment at which the thread gives up reading.
    [TestCase(0), TestCase(50), TestCase(100), TestCase(150), TestCase(1000), TestCase(20_000)]
    public async Task A_thread_that_blocks_gets_the_value_however_long_the_body_takes(int microseconds)
    {
        for (int i = 0; i < 12; i++)
        {
            await Spare();
            await using ChildProcess<long> child = ChildProcess.Start(Busy, microseconds + i * 10L, On());
            Assert.That(child.Result.GetAwaiter().GetResult(), Is.EqualTo(microseconds + i * 10L));
            Assert.That((await child.WaitForExitAsync(Limit)).Code, Is.Zero);
        }
    }

    [Test]
    public async Task Several_threads_may_block_on_it_and_others_await_it()
    {
        for (int i = 0; i < 10; i++)
        {
            await Spare();
            await using ChildProcess<long> child = ChildProcess.Start(Busy, 100L * i, On());
            Task<long> result = child.Result;
            long[] seen = await Task.WhenAll(Task.Run(() => result.Result), Task.Run(() => result.GetAwaiter().GetResult()), Task.Run(async () => await result), Task.Run(() => result.Wait(10_000) ? result.Result : -1));
            Assert.That(seen, Is.All.EqualTo(100L * i));
        }
    }

    [Test]
    public async Task Cancelled_and_failed_are_told_apart_as_for_any_child([Values] bool blocks)
    {
        await using (ChildProcess<int> child = ChildProcess.Start(static int () => throw new TaskCanceledException("enough"), On()))
            Assert.That((await Ended(child.Result, blocks)).Exception, Is.TypeOf<TaskCanceledException>().With.Message.EqualTo("enough"));
        await Spare();
        await using (ChildProcess<int> child = ChildProcess.Start(static int () => throw new InvalidDataException("odd"), On()))
            Assert.That((await Ended(child.Result, blocks)).Exception, Is.TypeOf<InvalidDataException>().With.Message.EqualTo("odd"));
        await Spare();
        await using (ChildProcess<int> child = ChildProcess.Start(static int () => { Thread.Sleep(Timeout.Infinite); return 1; }, On()))
        {
            Task cancel = Task.Delay(20).ContinueWith(_ => child.Cancel());
            (Exception? error, bool isCanceled) = await Ended(child.Result, blocks);
            Assert.That(error, Is.TypeOf<OperationCanceledException>().With.Message.Contains("was cancelled"));
            Assert.That(isCanceled);
            await cancel;
        }
    }

    [Test]
    public async Task A_child_that_crashes_or_takes_too_long_while_a_thread_blocks_on_it_is_reported()
    {
        await using (ChildProcess<int> child = ChildProcess.Start(static () => Native.LibcKill(Environment.ProcessId, 9), On()))
            Assert.That((await Ended(child.Result, blocks: true)).Exception, Is.TypeOf<ChildCrashedException>().With.Property("Stage").EqualTo(ChildStage.Running));
        await Spare();
        ChildOptions hasty = On();
        hasty.Timeout = TimeSpan.FromMilliseconds(30);
        await using (ChildProcess<int> child = ChildProcess.Start(static int () => { Thread.Sleep(Timeout.Infinite); return 1; }, hasty))
            Assert.That((await Ended(child.Result, blocks: true)).Exception, Is.TypeOf<ChildTimeoutException>());
        await Spare();
        hasty.Timeout = TimeSpan.FromMinutes(1);
        await using (ChildProcess<int> child = ChildProcess.Start(static () => 3, hasty))
            Assert.That(child.Result.Result, Is.EqualTo(3));
    }

    private static long Busy(long microseconds)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalMicroseconds < microseconds)
            Thread.SpinWait(5);
        return microseconds;
    }

    private static async Task<(Exception? Exception, bool IsCanceled)> Ended(Task result, bool blocks)
    {
        Exception? error = null;
        try
        {
            if (blocks)
                result.GetAwaiter().GetResult();
            else
                await result;
        }
        catch (Exception e)
        {
            error = e;
        }
        Assert.That(result.IsCanceled, Is.EqualTo(error is OperationCanceledException));
        return (error, result.IsCanceled);
    }

    private async Task Spare() => await Eventually(() => _server.IdleSpares == 1, "a spare child waits");

    private ChildOptions On() => new() { Method = _server };
}
