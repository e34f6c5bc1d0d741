using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>A child with a pidfd, which the reactor watches: no thread waits for it, and no signal can hit a recycled pid.</summary>
internal sealed class PidfdLifetime : ChildLifetime
{
    private readonly FileDescriptor _pidfd;
    private readonly Lock _watching = new();
    private ReactorWatch? _watch;
    private bool _mustBeWatched;
    private int _blockedThreads;

    internal PidfdLifetime(int id, FileDescriptor pidfd) : base(id)
    {
        _pidfd = pidfd;
        UnwatchedChildren.Current.Add(this);
    }

    protected override int Descriptor => _pidfd.Number;

    // A thread that blocks until the process ends reaps it itself: the reactor waking up beside it for nothing cost a tenth of a start.
    internal override bool WaitForExit(TimeSpan timeout)
    {
        if (IsComplete)
            return true; // the usual case where several are in flight; to learn it from the closed descriptor would cost an exception
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

    /// <summary>Has the reactor watch it from now on, unless it has ended.</summary>
    /// <returns>Whether that is so; without, somebody has to ask again.</returns>
    internal bool TryWatch()
    {
        lock (_watching)
            _mustBeWatched = true;
        try
        {
            Watch();
            return true;
        }
        catch (StartMethodException)
        {
            return HasExited;
        }
    }

    protected override void OnAwaited()
    {
        if (!_mustBeWatched)
            WatchOrAsk();
    }

    protected override void Release()
    {
        Unwatch();
        _pidfd.Dispose();
    }

    private void OnEnded() => Poll();

    private void EnterWait()
    {
        lock (_watching)
            _blockedThreads++;
        Unwatch();
    }

    private void LeaveWait()
    {
        lock (_watching)
            _blockedThreads--;
        if (_mustBeWatched && !IsComplete)
            WatchOrAsk();
    }

    // Without room in the epoll set it stays among the unwatched children, which are asked at each tick.
    private void WatchOrAsk()
    {
        if (!TryWatch())
            UnwatchedChildren.Current.Add(this);
    }

    private void Watch()
    {
        lock (_watching)
        {
            // Who reaps it completes first and removes the watch then, under this lock: no watch can be left behind.
            if (_blockedThreads == 0 && !IsComplete)
                _watch ??= Reactor.Shared.Watch(_pidfd, OnEnded);
        }
    }

    private void Unwatch()
    {
        ReactorWatch? watch;
        lock (_watching)
            (watch, _watch) = (_watch, null);
        watch?.Dispose(); // not under the lock: it waits for a callback, which takes the lock
    }
}
