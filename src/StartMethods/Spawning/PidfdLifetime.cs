using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>A child with a pidfd, which the reactor watches: no thread waits for it, and no signal can hit a recycled pid.</summary>
internal sealed class PidfdLifetime : ChildLifetime
{
    private readonly FileDescriptor _pidfd;
    private ReactorWatch? _watch;

    internal PidfdLifetime(int id, FileDescriptor pidfd) : base(id)
    {
        _pidfd = pidfd;
        ReactorWatch watch = Reactor.Shared.Watch(pidfd, () => Poll());
        // The process may have ended, and the callback run, before the field was set: then nobody has disposed the watch yet.
        Interlocked.Exchange(ref _watch, watch);
        if (Exited.IsCompleted)
            Release();
    }

    protected override int Descriptor => _pidfd.Number;

    internal override bool WaitForExit(TimeSpan timeout)
    {
        if (Exited.IsCompleted)
            return true;
        bool referenced = false;
        try
        {
            _pidfd.DangerousAddRef(ref referenced);
            return WaitOnDescriptor(_pidfd.Number, timeout);
        }
        catch (ObjectDisposedException)
        {
            return true; // reaped between the two lines
        }
        finally
        {
            if (referenced)
                _pidfd.DangerousRelease();
        }
    }

    protected override void Release()
    {
        if (Interlocked.Exchange(ref _watch, null) is not { } watch)
            return;
        watch.Dispose();
        _pidfd.Dispose();
    }
}
