using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>
/// Calls back once, after a time, on the reactor's thread: it keeps its time even where the thread pool is exhausted by the application.
/// Measured on the monotonic clock. Disposing it before cancels it.
/// </summary>
internal sealed class Deadline : IDisposable
{
    private readonly FileDescriptor? _timer;
    private readonly ReactorWatch? _watch;
    private readonly Timer? _portable;

    private Deadline(TimeSpan after, Action elapsed)
    {
        long milliseconds = (long)Math.Ceiling(after.TotalMilliseconds);
        if (Native.IsPortable)
        {
            _portable = new Timer(static state => ((Action)state!)(), elapsed, Math.Min(milliseconds, uint.MaxValue - 1), Timeout.Infinite);
            return;
        }
        _timer = new FileDescriptor(NativeError.ThrowIfFailed(Native.TimerCreate(milliseconds), "timerfd_create"));
        _watch = Reactor.Shared.Watch(_timer, elapsed, ReactorInterest.Read | ReactorInterest.Once);
    }

    /// <summary>Starts the time; null where it is infinite, that is, negative.</summary>
    internal static Deadline? After(TimeSpan time, Action elapsed) => time < TimeSpan.Zero ? null : new Deadline(time, elapsed);

    public void Dispose()
    {
        _portable?.Dispose();
        _watch?.Dispose();
        _timer?.Dispose();
    }
}
