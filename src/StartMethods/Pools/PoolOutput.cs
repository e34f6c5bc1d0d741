using System.Diagnostics;
using StartMethods.Diagnostics;
using StartMethods.Threads;

namespace StartMethods.Pools;

/// <summary>
/// What the workers of one pool write and report, on its way to the application's handlers. Whoever reads the workers adds; one thread, made when there is something,
/// hands over, in order. Where the handler is slow, workers wait for it as for a slow terminal; where it hangs (it may be waiting for just these
/// workers), they do not: what comes then is counted and dropped. So neither memory nor workers depend on what a handler does.
/// </summary>
internal sealed class PoolOutput(WorkerPoolOptions options, string pool)
{
    private const int MaxItems = 4096, MaxCharacters = 256 * 1024;
    private static readonly TimeSpan Stuck = TimeSpan.FromSeconds(1);

    /// <summary>For output that is still on its way when the last worker has ended: only what a worker has left behind can write then.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromMilliseconds(200);

    private readonly object _gate = new();
    private readonly Queue<(object Item, int Size)> _queue = new();
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Thread? _thread;
    private long _characters, _lost, _handling, _completeAt = long.MaxValue;
    private int _open;
    private bool _tellsLoss = true, _finished;

    /// <summary>Lines and events that were dropped.</summary>
    internal long Lost => Volatile.Read(ref _lost);

    internal bool HasRoom
    {
        get
        {
            lock (_gate)
                return !IsFull || IsStuck || _finished;
        }
    }

    private bool IsFull => _queue.Count >= MaxItems || _characters >= MaxCharacters;

    private bool IsStuck => Volatile.Read(ref _handling) is not 0 and var since && Stopwatch.GetElapsedTime(since) > Stuck;

    internal void WaitForRoom()
    {
        lock (_gate)
        {
            while (IsFull && !IsStuck && !_finished)
                Monitor.Wait(_gate, Stuck);
        }
    }

    /// <summary>One more stream is read.</summary>
    internal void Opened()
    {
        lock (_gate)
            _open++;
    }

    internal void Closed()
    {
        lock (_gate)
        {
            _open--;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Adds a line or a report. Never waits: beyond twice what may wait, and where the handler hangs, it is counted only.</summary>
    internal void Add(object item, int size)
    {
        lock (_gate)
        {
            if (_finished || (IsFull && (IsStuck || _queue.Count >= 2 * MaxItems || _characters >= 2 * MaxCharacters)))
            {
                Lose();
                return;
            }
            _queue.Enqueue((item, size));
            _characters += size;
            if (_thread is null)
                StartHandingOver();
            else if (_queue.Count == 1)
                Monitor.PulseAll(_gate);
        }
    }

    private void Lose()
    {
        _lost++;
        if (!_tellsLoss)
            return;
        _tellsLoss = false;
        PoolTelemetry.Log.OutputLost(pool);
    }

    private void StartHandingOver()
    {
        _thread = new Thread(HandOver, maxStackSize: 1 << 20) { Name = "StartMethods Pool Output", IsBackground = true };
        _thread.UnsafeStart();
    }

    private void HandOver()
    {
        ForkPause pause = ForkPause.Current;
        while (TryNext(out object? item))
        {
            pause.BeginWork();
            try
            {
                if (item is WorkerLine line)
                    options.Output!(line);
                else
                    ((EventReport)item).HandOver(options.Events, pool);
            }
            catch (Exception e)
            {
                PoolTelemetry.Log.HandlerFailed(pool, e.ToString());
            }
            Volatile.Write(ref _handling, 0);
            pause.EndWork();
        }
        _completed.TrySetResult();
    }

    private bool TryNext([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out object? item)
    {
        lock (_gate)
        {
            while (_queue.Count == 0)
            {
                _tellsLoss = true;
                long now = Stopwatch.GetTimestamp();
                if (_completeAt != long.MaxValue && (_open <= 0 || now >= _completeAt))
                {
                    _finished = true;
                    item = null;
                    return false;
                }
                Monitor.Wait(_gate, _completeAt == long.MaxValue ? Timeout.InfiniteTimeSpan : LastWords);
            }
            bool wasFull = IsFull;
            (item, int size) = _queue.Dequeue();
            _characters -= size;
            Volatile.Write(ref _handling, Stopwatch.GetTimestamp());
            if (wasFull && !IsFull)
                Monitor.PulseAll(_gate);
            return true;
        }
    }

    /// <summary>No worker is left. Completes when everything was handed over, or the handler hangs.</summary>
    internal async Task CompleteAsync()
    {
        lock (_gate)
        {
            _completeAt = Stopwatch.GetTimestamp() + (long)(LastWords.TotalSeconds * Stopwatch.Frequency);
            Monitor.PulseAll(_gate);
            if (_thread is null && _open <= 0)
            {
                _finished = true;
                return;
            }
            if (_thread is null)
                StartHandingOver();
        }
        while (await Task.WhenAny(_completed.Task, Task.Delay(LastWords)).ConfigureAwait(false) != _completed.Task)
        {
            if (!IsStuck)
                continue;
            lock (_gate)
                _finished = true;
            return;
        }
    }
}
