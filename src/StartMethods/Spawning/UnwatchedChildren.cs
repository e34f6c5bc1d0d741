using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>
/// Children that nobody waits for yet. The reactor watches them only from the next tick on: most programs that are waited for by a blocked thread have
/// ended by then, and need neither an entry in the epoll set nor a reactor that wakes up for nothing. A child that nobody ever waits for is reaped
/// all the same, a tick later at most.
/// </summary>
internal sealed class UnwatchedChildren
{
    private const int TickMilliseconds = 10;
    private static UnwatchedChildren? s_current;

    private readonly Reactor _reactor;
    private readonly FileDescriptor _timer;
    private readonly Lock _gate = new();
    private List<PidfdLifetime> _children = [], _spare = [];

    private UnwatchedChildren(Reactor reactor)
    {
        _reactor = reactor;
        _timer = new FileDescriptor(NativeError.ThrowIfFailed(Native.TimerCreate(TickMilliseconds), "timerfd_create"));
        try
        {
            reactor.Watch(_timer, OnTick);
        }
        catch
        {
            _timer.Dispose();
            throw;
        }
    }

    /// <summary>Those of this process: a forked copy has a reactor of its own, and its parent's children are none of its.</summary>
    /// <exception cref="StartMethodException">No descriptor is left for the reactor, or for the timer.</exception>
    internal static UnwatchedChildren Current
    {
        get
        {
            Reactor reactor = Reactor.Shared;
            UnwatchedChildren? current = Volatile.Read(ref s_current);
            if (current?._reactor == reactor)
                return current;
            // Two first starts at once: both instances are good, and the one that loses the race has its own children only.
            UnwatchedChildren fresh = new(reactor);
            return Interlocked.CompareExchange(ref s_current, fresh, current) == current ? fresh : s_current!;
        }
    }

    internal void Add(PidfdLifetime child)
    {
        lock (_gate)
        {
            _children.Add(child);
            if (_children.Count == 1)
                Arm(TickMilliseconds);
        }
    }

    private void OnTick()
    {
        List<PidfdLifetime> due;
        lock (_gate)
        {
            due = _children;
            (_children, _spare) = (_spare, due);
            Arm(-1);
        }
        foreach (PidfdLifetime child in due)
            if (!child.TryWatch())
                Add(child); // no room in the epoll set (max_user_watches): its end is asked for at each tick
        due.Clear();
    }

    private void Arm(int milliseconds) => _ = Native.TimerArm(_timer.Number, milliseconds);
}
