using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>A child with a pidfd, which the reactor watches: no thread waits for it, and no signal can hit a recycled pid.</summary>
internal sealed class PidfdLifetime : ChildLifetime
{
    private readonly FileDescriptor _pidfd;
    private readonly Lock _watching = new();
    private ReactorWatch? _watch;
    private int _blockedThreads;

    internal PidfdLifetime(int id, FileDescriptor pidfd) : base(id)
    {
        _pidfd = pidfd;
        lock (_watching)
            _watch = Reactor.Shared.Watch(pidfd, OnEnded);
    }

    protected override int Descriptor => _pidfd.Number;

    // A thread that blocks until the process ends reaps it itself: the reactor waking up beside it for nothing cost a tenth of a start.
    internal override bool WaitForExit(TimeSpan timeout)
    {
        bool referenced = false;
        try
        {
            _pidfd.DangerousAddRef(ref referenced);
            EnterWait();
            return WaitOnDescriptor(_pidfd.Number, timeout);
        }
        catch (ObjectDisposedException)
        {
            return true; // it has been reaped
        }
        finally
        {
            if (referenced)
            {
                LeaveWait();
                _pidfd.DangerousRelease();
            }
        }
    }

    protected override void Release()
    {
        Unwatch();
        _pidfd.Dispose();
    }

    private void OnEnded() => Poll();

    private void EnterWait()
    {
        if (Interlocked.Increment(ref _blockedThreads) == 1)
            Unwatch();
    }

    private void LeaveWait()
    {
        if (Interlocked.Decrement(ref _blockedThreads) > 0 || Exited.IsCompleted)
            return;
        lock (_watching)
            _watch ??= Reactor.Shared.Watch(_pidfd, OnEnded);
        if (Exited.IsCompleted)
            Unwatch(); // reaped between the question and the watch, and released before it was there
    }

    private void Unwatch()
    {
        ReactorWatch? watch;
        lock (_watching)
            (watch, _watch) = (_watch, null);
        watch?.Dispose(); // not under the lock: it waits for a callback, which takes the lock
    }
}
