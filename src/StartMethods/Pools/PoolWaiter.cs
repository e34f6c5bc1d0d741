using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Pools;

/// <summary>How the thread of a pool waits for its workers, and is woken by the other threads of the application.</summary>
internal abstract class PoolWaiter : IDisposable
{
    /// <summary>The set of bells that workers ring; null where they do not.</summary>
    internal virtual FileDescriptor? Bells => null;

    /// <summary>Forgets what was watched: <see cref="Watch"/> tells anew. Under the pool's lock.</summary>
    internal abstract void BeginTurn();

    internal abstract void Watch(in RingWatch watch, bool isBusy);

    /// <summary>Waits until a worker said something, somebody poked since <see cref="BeginTurn"/>, or the time is over.</summary>
    internal abstract void Wait(int milliseconds);

    /// <summary>Ends a wait, or the next one. From any thread.</summary>
    internal abstract void Poke();

    public abstract void Dispose();
}

/// <summary>Waits on the words of rings.</summary>
internal sealed unsafe class RingWaiter : PoolWaiter
{
    private readonly FileDescriptor _bells;
    private readonly FileDescriptor _bell;
    private readonly uint* _pokes; // two words of native memory: how often poked, whether asleep
    private RingWatch[] _watches = GC.AllocateArray<RingWatch>(8, pinned: true);
    private RingWaitState _state;
    private int _count;
    private bool _disposed;

    internal RingWaiter(TimeSpan maxSpin)
    {
        _bells = new FileDescriptor(NativeError.ThrowIfFailed(Native.BellsCreate(), "epoll_create1 for a pool"));
        _bell = new FileDescriptor(NativeError.ThrowIfFailed(Native.BellCreate(), "eventfd for a pool"));
        NativeError.ThrowIfFailed(Native.BellsAdd(_bells.Number, _bell.Number), "epoll_ctl for a pool");
        _pokes = (uint*)NativeMemory.AllocZeroed(2, sizeof(uint));
        uint spin = (uint)Math.Min(maxSpin.TotalNanoseconds, 1e9);
        _state = new RingWaitState { Size = (uint)sizeof(RingWaitState), Bells = _bells.Number, MaxSpinNanoseconds = spin, SpinNanoseconds = spin };
    }

    internal override FileDescriptor Bells => _bells;

    internal override void BeginTurn()
    {
        _watches[0] = new RingWatch { Word = _pokes, Sleeps = _pokes + 1, Seen = Volatile.Read(ref *_pokes) };
        _count = 1;
    }

    internal override void Watch(in RingWatch watch, bool isBusy)
    {
        if (_count == _watches.Length)
        {
            RingWatch[] larger = GC.AllocateArray<RingWatch>(_count * 2, pinned: true);
            _watches.CopyTo(larger, 0);
            _watches = larger;
        }
        _watches[_count] = watch;
        if (!isBusy)
            _watches[_count].PeerCpu = null; // nothing is to be expected from it: no reason to spin
        _count++;
    }

    internal override void Wait(int milliseconds)
    {
        _state.Count = (uint)_count;
        _state.Watches = (RingWatch*)Marshal.UnsafeAddrOfPinnedArrayElement(_watches, 0);
        _state.TimeoutMilliseconds = milliseconds;
        fixed (RingWaitState* state = &_state)
            NativeError.ThrowIfFailed(Native.RingWait(state), "waiting for pool workers");
    }

    internal override void Poke()
    {
        if (_disposed)
            return;
        Interlocked.Increment(ref *(int*)_pokes);
        if (Volatile.Read(ref _pokes[1]) != 0)
            NativeError.ThrowIfFailed(Native.BellRing(_bell.Number), "waking the thread of a pool");
    }

    public override void Dispose()
    {
        // The two words stay: a thread that pokes at this moment may still look at them. Eight bytes a pool.
        _disposed = true;
        _bell.Dispose();
        _bells.Dispose();
    }
}

/// <summary>Waits for pokes only: connections without rings poke by themselves.</summary>
internal sealed class MonitorWaiter : PoolWaiter
{
    private readonly object _gate = new();
    private bool _poked;

    internal override void BeginTurn()
    {
        lock (_gate)
            _poked = false;
    }

    internal override void Watch(in RingWatch watch, bool isBusy) { }

    internal override void Wait(int milliseconds)
    {
        lock (_gate)
        {
            if (!_poked)
                Monitor.Wait(_gate, milliseconds);
        }
    }

    internal override void Poke()
    {
        lock (_gate)
        {
            _poked = true;
            Monitor.Pulse(_gate);
        }
    }

    public override void Dispose() { }
}
