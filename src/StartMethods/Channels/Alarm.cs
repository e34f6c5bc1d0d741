using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>A <see cref="Deadline"/> that is set again and again, each time by one system call. Not on the portable path.</summary>
internal sealed class Alarm : IDisposable
{
    private const int Never = -1;
    private readonly FileDescriptor _timer;
    private readonly ReactorWatch _watch;

    /// <summary>One that is not set yet.</summary>
    /// <param name="elapsed">Called on the reactor's thread, once each time.</param>
    internal Alarm(Action elapsed)
    {
        _timer = new FileDescriptor(NativeError.ThrowIfFailed(Native.TimerCreate(Never), "timerfd_create"));
        FileDescriptor timer = _timer;
        _watch = Reactor.Shared.Watch(_timer, () =>
        {
            _ = Native.TimerArm(timer.Number, Never);
            elapsed();
        });
    }

    /// <summary>Calls back after so many milliseconds; what was set before is forgotten.</summary>
    internal void Set(int milliseconds) => _ = Native.TimerArm(_timer.Number, milliseconds);

    /// <summary>The same with any time; never, where it is infinite, that is, negative.</summary>
    internal void Set(TimeSpan time) => _ = Native.TimerArm(_timer.Number, time < TimeSpan.Zero ? Never : (long)Math.Ceiling(time.TotalMilliseconds));

    public void Dispose()
    {
        _watch.Dispose();
        _timer.Dispose();
    }
}
