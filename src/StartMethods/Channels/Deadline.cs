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

    private const int Never = -1;

    private Deadline(long milliseconds, Action elapsed)
    {
        if (Native.IsPortable)
        {
            _portable = new Timer(static state => ((Action)state!)(), elapsed, Math.Min(milliseconds, uint.MaxValue - 1), Timeout.Infinite);
            return;
        }
        _timer = new FileDescriptor(NativeError.ThrowIfFailed(Native.TimerCreate(milliseconds), "timerfd_create"));
        _watch = Reactor.Shared.Watch(_timer, elapsed, ReactorInterest.Read | ReactorInterest.Once);
    }

    /// <summary>Starts the time; null where it is infinite, that is, negative.</summary>
    internal static Deadline? After(TimeSpan time, Action elapsed) => time < TimeSpan.Zero ? null : new Deadline(Milliseconds(time), elapsed);

    /// <summary>One whose time is not started yet, for who will have no time to make one then. Not on the portable path.</summary>
    internal static Deadline Unset(Action elapsed) => new(Never, elapsed);

    /// <summary>Starts the time of one that was unset; never, where it is infinite.</summary>
    internal void Start(TimeSpan time) => _ = Native.TimerArm(_timer!.Number, time < TimeSpan.Zero ? Never : Milliseconds(time));

    private static long Milliseconds(TimeSpan time) => (long)Math.Ceiling(time.TotalMilliseconds);

    public void Dispose()
    {
        _portable?.Dispose();
        _watch?.Dispose();
        _timer?.Dispose();
    }
}
