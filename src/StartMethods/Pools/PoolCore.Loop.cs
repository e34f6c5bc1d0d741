using StartMethods.Interop;
using StartMethods.Threads;

namespace StartMethods.Pools;

/// <content>The pool's own thread: it hears the workers and the clock, and runs no user code.</content>
internal sealed partial class PoolCore
{
    private const long TrimAfter = 2 * TimeSpan.TicksPerSecond;

    private readonly PoolWaiter _waiter;
    private Thread? _loop;
    private volatile bool _finished;
    private long _wakesAt = long.MaxValue; // when the thread looks at the clock by itself
    private long _quietSince;
    private bool _trimmed = true;

    private void StartLoop()
    {
        _loop = new Thread(Loop, maxStackSize: 1 << 20) { Name = "StartMethods Pool", IsBackground = true };
        _loop.UnsafeStart();
    }

    private void Loop()
    {
        ForkPause pause = ForkPause.Current;
        try
        {
            while (!_finished)
            {
                pause.BeginWork();
                int rest = Turn();
                pause.EndWork();
                _waiter.Wait(rest);
            }
        }
        finally
        {
            lock (_gate)
                CloseLinks();
            _waiter.Dispose();
        }
    }

    /// <summary>Does what is to be done, and returns for how many milliseconds there is nothing to do; −1: until something happens.</summary>
    private int Turn()
    {
        lock (_gate)
        {
            _waiter.BeginTurn();
            if (_finished)
                return 0; // the poke that told so may have come before BeginTurn, and would not end the wait
            CloseLinks();
            bool anybodyWorks = false;
            for (int i = 0; i < _workers.Count; i++)
            {
                if (_workers[i] is not { Link: not null } worker)
                    continue;
                Receive(worker);
                anybodyWorks |= worker.Slot.Window.Count > 0;
            }
            long now = Now;
            if (_table.NextDeadline() <= now)
                _table.Tick(now);
            _wakesAt = long.MinValue; // this very turn ends with a look at the deadline: nobody needs to poke
            CarryOut();
            foreach (PoolWorker? worker in _workers)
            {
                if (worker is { Link: { } link } && link.TryGetWatch(out RingWatch watch))
                    _waiter.Watch(watch, isBusy: worker.Slot.Window.Count > 0);
            }
            _wakesAt = Math.Min(_table.NextDeadline(), TrimDeadline(anybodyWorks, now));
            return _wakesAt == long.MaxValue ? -1 : (int)Math.Clamp((_wakesAt - now + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond, 0, int.MaxValue);
        }
    }

    // Arenas that grew for large payloads shrink once the pool has been at rest for a while.
    private long TrimDeadline(bool anybodyWorks, long now)
    {
        if (anybodyWorks)
        {
            _trimmed = false;
            _quietSince = now;
            return long.MaxValue;
        }
        if (_trimmed)
            return long.MaxValue;
        if (now - _quietSince < TrimAfter)
            return _quietSince + TrimAfter;
        _trimmed = true;
        foreach (PoolWorker? worker in _workers)
        {
            if (worker is { Link: not null })
                Guarded(worker, static link => link.Trim());
        }
        return long.MaxValue;
    }

    private void CloseLinks()
    {
        foreach (WorkerLink link in _toClose)
            link.Dispose();
        _toClose.Clear();
    }

    private void EndThreads()
    {
        _finished = true;
        lock (_toStart)
            Monitor.Pulse(_toStart);
        _waiter.Poke();
        PoolTelemetry.Remove(this);
        if (_loop is null)
            _waiter.Dispose();
        _disposed.TrySetResult();
    }
}
