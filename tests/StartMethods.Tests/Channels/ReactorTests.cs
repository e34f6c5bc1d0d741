using System.IO.Pipes;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Tests.Channels;

[Platform("Linux")]
public class ReactorTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private static (AnonymousPipeServerStream Write, AnonymousPipeClientStream Read) Pipe()
    {
        AnonymousPipeServerStream write = new(PipeDirection.Out);
        return (write, new AnonymousPipeClientStream(PipeDirection.In, write.ClientSafePipeHandle));
    }

    [Test]
    public void A_ready_descriptor_calls_back_until_its_watch_is_disposed()
    {
        var (write, read) = Pipe();
        using (write)
        using (read)
        {
            int calls = 0;
            using SemaphoreSlim called = new(0);
            using (Reactor.Shared.Watch(read.SafePipeHandle, () => { calls++; called.Release(); }))
            {
                Assert.That(called.Wait(50), Is.False);
                write.WriteByte(1);
                Assert.That(called.Wait(Limit) && called.Wait(Limit), Is.True, "level-triggered: it calls again while nobody reads");
            }
            int after = Volatile.Read(ref calls);
            Thread.Yield();
            Assert.That(called.Wait(50) && Volatile.Read(ref calls) != after, Is.False);
        }
    }

    [Test]
    public void A_watch_can_be_disposed_in_its_callback()
    {
        var (write, read) = Pipe();
        using (write)
        using (read)
        {
            int calls = 0;
            using ManualResetEventSlim called = new();
            ReactorWatch? watch = null;
            Lock gate = new();
            lock (gate)
                watch = Reactor.Shared.Watch(read.SafePipeHandle, () =>
                {
                    lock (gate)
                        watch!.Dispose();
                    Interlocked.Increment(ref calls);
                    called.Set();
                });
            write.WriteByte(1);
            Assert.That(called.Wait(Limit), Is.True);
            watch.Dispose();
            Assert.That(calls, Is.EqualTo(1));
        }
    }

    [Test]
    public void After_dispose_on_another_thread_no_callback_runs()
    {
        for (int i = 0; i < 200; i++)
        {
            var (write, read) = Pipe();
            using (write)
            using (read)
            {
                bool disposed = false, late = false;
                using ManualResetEventSlim called = new();
                ReactorWatch watch = Reactor.Shared.Watch(read.SafePipeHandle, () =>
                {
                    called.Set();
                    Thread.SpinWait(500);
                    late |= Volatile.Read(ref disposed);
                });
                write.WriteByte(1);
                Assert.That(called.Wait(Limit), Is.True);
                watch.Dispose();
                Volatile.Write(ref disposed, true);
                Thread.SpinWait(1000);
                Assert.That(late, Is.False);
            }
        }
    }

    [Test]
    public void A_callback_that_throws_is_reported_and_the_reactor_goes_on()
    {
        var (write, read) = Pipe();
        using (write)
        using (read)
        {
            Exception? seen = null;
            using ManualResetEventSlim called = new();
            void OnFailed(Exception e) => seen = e;
            Reactor.CallbackFailed += OnFailed;
            try
            {
                ReactorWatch watch = null!;
                Lock gate = new();
                lock (gate)
                    watch = Reactor.Shared.Watch(read.SafePipeHandle, () =>
                    {
                        lock (gate)
                            watch.Dispose();
                        throw new InvalidOperationException("boom");
                    });
                write.WriteByte(1);
                using (Reactor.Shared.Watch(write.SafePipeHandle, called.Set, ReactorInterest.Write | ReactorInterest.Once))
                    Assert.That(called.Wait(Limit), Is.True);
                Assert.That(SpinWait.SpinUntil(() => seen is not null, Limit), Is.True);
                Assert.That(seen!.Message, Is.EqualTo("boom"));
            }
            finally
            {
                Reactor.CallbackFailed -= OnFailed;
            }
        }
    }

    [Test]
    public void A_once_watch_waits_to_be_armed_again()
    {
        var (write, read) = Pipe();
        using (write)
        using (read)
        using (SemaphoreSlim called = new(0))
        using (ReactorWatch watch = Reactor.Shared.Watch(read.SafePipeHandle, () => called.Release(), ReactorInterest.Read | ReactorInterest.Once))
        {
            write.WriteByte(1);
            Assert.That(called.Wait(Limit), Is.True);
            Assert.That(called.Wait(30), Is.False);
            watch.Rearm();
            Assert.That(called.Wait(Limit), Is.True);
        }
    }
}
