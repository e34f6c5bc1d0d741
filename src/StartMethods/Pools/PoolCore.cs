using System.Diagnostics;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <summary>
/// What stands between <see cref="WorkerTable"/>, which decides, and the processes. Everything happens under one lock, by whichever thread has the news: a
/// caller submits, the reactor reports a death, the pool's own thread hears answers and the clock. No thread of the thread pool is needed.
/// </summary>
internal sealed partial class PoolCore
{
    private readonly Lock _gate = new();
    private readonly WorkerPoolOptions _options;
    private readonly WorkerTable _table;
    private readonly List<PoolWorker?> _workers = []; // by the index of the slot
    private readonly List<PoolWorker> _unflushed = [];
    private readonly List<TaskCompletionSource> _draining = [];
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PoolOutput? _output;
    private readonly SemaphoreSlim? _room;
    private readonly int _processId = Native.IsPortable ? Environment.ProcessId : Native.ProcessId();
    private readonly bool _usesRings = !Native.IsPortable;
    private Exception? _startError;
    private bool _initializerFailed;
    private long _lastTaskId;

    internal PoolCore(WorkerPoolOptions options, string name)
    {
        (_options, Name) = (options, name);
        _output = options.Output is not null || options.EventSources.Count > 0 ? new PoolOutput(options, name) : null;
        _room = options.QueueLimit is { } limit ? new SemaphoreSlim(limit, limit) : null;
        _waiter = _usesRings ? new RingWaiter(options.MaxSpin) : new MonitorWaiter();
        _table = new WorkerTable(new WorkerTableOptions
        {
            Workers = options.Workers, MinWorkers = options.MinWorkers, MaxTasksPerWorker = options.MaxTasksPerWorker ?? 0, MaxWorkerMemory = options.MaxWorkerMemory ?? 0,
            IdleTimeout = Ticks(options.IdleTimeout), Grace = options.Grace.Ticks, MaxWindow = _usesRings ? 64 : 1,
        }, Now);
        lock (_gate)
            CarryOut();
        PoolTelemetry.Add(this);
    }

    internal string Name { get; }

    internal WorkerPoolOptions Options => _options;

    internal Task Disposed => _disposed.Task;

    private static long Now => Stopwatch.GetElapsedTime(0).Ticks;

    internal static long Ticks(TimeSpan limit) => limit == Timeout.InfiniteTimeSpan ? 0 : Math.Min(limit.Ticks, long.MaxValue / 4);

    internal long NextTaskId() => Interlocked.Increment(ref _lastTaskId);

    /// <summary>Throws where this is the copy of a pool in a forked child: its workers are the parent's.</summary>
    internal void ThrowIfCopied()
    {
        if (!Native.IsPortable && Native.ProcessId() != _processId)
            throw new InvalidOperationException($"The pool '{Name}' belongs to process {_processId}; this is a forked copy of it. Create a pool in the child.");
    }

    /// <summary>Waits for room where the queue is limited; returns what the task must call when it has ended.</summary>
    internal ValueTask EnterQueueAsync(CancellationToken cancellationToken) =>
        _room is null || _room.Wait(0, CancellationToken.None) ? default : new ValueTask(_room.WaitAsync(cancellationToken));

    internal void LeaveQueue() => _room?.Release();

    internal void Submit(PoolTask task)
    {
        lock (_gate)
        {
            _table.Submit(task, Now);
            CarryOut();
        }
    }

    /// <summary>Several at a time: the lock is taken once, and each worker is woken once.</summary>
    internal void Submit(IReadOnlyList<PoolTask> tasks)
    {
        lock (_gate)
        {
            long now = Now;
            for (int i = 0; i < tasks.Count; i++)
                _table.Submit(tasks[i], now);
            CarryOut();
        }
    }

    internal void Cancel(PoolTask task)
    {
        lock (_gate)
        {
            _table.Cancel(task, Now);
            CarryOut();
        }
    }

    /// <summary>Cancels a task unless it has begun.</summary>
    internal void Withdraw(PoolTask task)
    {
        lock (_gate)
        {
            _table.Withdraw(task, Now);
            CarryOut();
        }
    }

    internal void EndLease(PoolTask lease, bool destroy)
    {
        lock (_gate)
        {
            _table.EndLease(lease, destroy, Now);
            CarryOut();
        }
    }

    internal void Resize(int workers)
    {
        lock (_gate)
        {
            _table.Resize(workers, Now);
            CarryOut();
        }
    }

    internal Task DrainAsync()
    {
        lock (_gate)
        {
            if (_table.Unended == 0)
                return Task.CompletedTask;
            var drained = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _draining.Add(drained);
            return drained.Task;
        }
    }

    internal async Task DisposeAsync()
    {
        lock (_gate)
        {
            _table.Dispose(Now);
            CarryOut();
        }
        await _disposed.Task.ConfigureAwait(false);
        if (_output is null)
            return;
        await _output.CompleteAsync().ConfigureAwait(false);
        ChildStreams[] left;
        lock (_gate)
        {
            left = [.. _leftStreams];
            _leftStreams.Clear();
        }
        foreach (ChildStreams streams in left) // not under the lock: the reactor, which may be waiting for it, is waited for
            streams.Dispose();
    }

    internal PoolStatistics Statistics()
    {
        lock (_gate)
        {
            int running = 0, waitingInside = 0, idle = 0;
            foreach (WorkerSlot slot in _table.Slots)
            {
                running += slot.Window.Count > 0 ? 1 : 0;
                waitingInside += Math.Max(0, slot.Window.Count - 1);
                idle += slot.IsIdle ? 1 : 0;
            }
            return new PoolStatistics
            {
                Workers = _table.Live, Idle = idle, Queued = _table.Queued + waitingInside, Running = running, Submitted = _table.Submitted, Succeeded = _table.Succeeded,
                Failed = _table.Failed, Cancelled = _table.Cancelled, WorkersStarted = _table.WorkersStarted, WorkersCrashed = _table.WorkersCrashed, OutputLost = _output?.Lost ?? 0,
            };
        }
    }

    /// <summary>The process of the worker that a lease has; 0 if it is gone.</summary>
    internal int ProcessIdOf(PoolTask lease)
    {
        lock (_gate)
            return lease is { Phase: TaskPhase.Sent, Slot: { } slot } ? _workers[slot.Index]?.ProcessId ?? 0 : 0;
    }
}
