using System.Threading.Tasks.Sources;

namespace StartMethods.Pools;

/// <summary>
/// The state of one enumeration of a map. What ends is put down here by the pool's thread, which wakes the consumer only where he waits for that very chunk: he takes
/// all that has ended meanwhile, and gives the pool several new chunks at a time.
/// </summary>
internal sealed partial class MapRun<T, TResult> : IValueTaskSource
{
    private static long s_lastFlow;
    private readonly long _flow = Interlocked.Increment(ref s_lastFlow);
    private readonly PoolCore _core;
    private readonly Delegate _body;
    private readonly bool _takesToken;
    private readonly MapOptions _options;
    private readonly CancellationToken _cancellationToken;
    private readonly CancellationTokenRegistration _registration;
    private readonly ChunkSizer _sizer;
    private readonly MapReporter _reporter;
    private readonly Action<MapChunk> _ended;

    // Of the consumer alone.
    private readonly Queue<MapChunk> _ordered = new();
    private readonly List<MapChunk> _batch = [];
    private readonly List<T> _next = [];
    private Task<bool>? _reading;
    private MapChunk? _consuming;
    private long _batchBegan;
    private bool _sourceEnded, _readingIsWatched;
    private int _inside; // chunks that were made and not consumed
    private int _ahead;  // items that were read and whose results were not consumed

    // Under the lock, inside of which nothing of the pool is called.
    private readonly Lock _gate = new();
    private readonly HashSet<MapChunk> _outstanding = [];
    private readonly Queue<MapChunk> _finished = new();
    private ManualResetValueTaskSourceCore<bool> _signal = new() { RunContinuationsAsynchronously = true };
    private MapChunk? _awaited;
    private bool _waiting, _abandoned;

    internal MapRun(PoolCore core, Delegate body, bool takesToken, MapOptions options, long? total, CancellationToken cancellationToken)
    {
        (_core, _body, _takesToken, _options, _cancellationToken) = (core, body, takesToken, options, cancellationToken);
        _sizer = new ChunkSizer(options.ChunkSize, options.FixedLookAhead, core.Options.Workers);
        _reporter = new MapReporter(options.Progress, total);
        _ended = Ended;
        _registration = cancellationToken.UnsafeRegister(static run => ((MapRun<T, TResult>)run!).CancelAll(), this);
    }

    /// <summary>The results of the next chunk; null at the end.</summary>
    internal async ValueTask<TResult[]?> NextAsync(IAsyncEnumerator<T> items)
    {
        while (true)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            if (_consuming is { Error: { } error })
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error);
            if (IsRunningLow())
                await ReadAheadAsync(items).ConfigureAwait(false);
            if (TakeDone() is { } chunk)
                return Take(chunk);
            if (_inside > 0)
                await new ValueTask(this, PrepareWait()).ConfigureAwait(false);
            else if (_reading is not null)
                await _reading.ConfigureAwait(false);
            else if (_sourceEnded)
            {
                _reporter.End();
                return null;
            }
        }
    }

    /// <summary>So many chunks on their way keep every worker busy.</summary>
    private int Enough => 2 * _core.Options.Workers;

    /// <summary>Called by the pool's thread, under the pool's lock.</summary>
    private void Ended(MapChunk chunk)
    {
        bool wake;
        lock (_gate)
        {
            chunk.IsDone = true;
            _outstanding.Remove(chunk);
            if (_abandoned)
            {
                chunk.Answer?.Dispose();
                chunk.Answer = null;
            }
            else if (!_options.Ordered)
            {
                _finished.Enqueue(chunk);
            }
            wake = _waiting && (!_options.Ordered || _awaited == chunk);
            _waiting &= !wake;
        }
        if (chunk.HasRoom)
            _core.LeaveQueue();
        if (wake)
            _signal.SetResult(true);
    }

    // Until the chunk that is next has ended, any chunk has where order does not matter, or the source has something new.
    private short PrepareWait()
    {
        bool already;
        short version;
        lock (_gate)
        {
            _signal.Reset();
            version = _signal.Version;
            _awaited = _options.Ordered ? _ordered.Peek() : null;
            already = _awaited is { IsDone: true } || _finished.Count > 0 || _reading is { IsCompleted: true };
            _waiting = !already;
        }
        if (already)
        {
            _signal.SetResult(true);
        }
        else if (_reading is not null && !_readingIsWatched)
        {
            _readingIsWatched = true;
            _reading.ContinueWith(static (_, run) => ((MapRun<T, TResult>)run!).Wake(), this, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
        return version;
    }

    private void Wake()
    {
        lock (_gate)
        {
            if (!_waiting)
                return;
            _waiting = false;
        }
        _signal.SetResult(true);
    }

    private MapChunk? TakeDone()
    {
        lock (_gate)
        {
            if (!_options.Ordered)
                return _finished.TryDequeue(out MapChunk? any) ? any : null;
            return _ordered.TryPeek(out MapChunk? first) && first.IsDone ? _ordered.Dequeue() : null;
        }
    }

    private TResult[] Take(MapChunk chunk)
    {
        _inside--;
        _consuming = chunk;
        using WorkerAnswer? answer = chunk.Answer;
        chunk.Answer = null;
        if (answer is null)
            return [];
        _sizer.Add(chunk.Items, answer.RunTicks, Math.Max(chunk.Bytes, answer.Size));
        TResult[] results = answer.Succeeded ? _core.ReadResult<TResult[]>(answer, _body) : [];
        if (!answer.Succeeded || answer.HasFailureBehind)
            chunk.Error = answer.ReadFailure();
        else if (results.Length != chunk.Items)
            chunk.Error = new StartMethodException($"A worker of the pool '{_core.Name}' answered {chunk.Items} items with {results.Length} results.");
        _reporter.Completed += results.Length;
        _reporter.Report();
        return results;
    }

    /// <summary>The consumer has had the results of the chunk: the source may be read on.</summary>
    internal void Consumed() => _ahead -= _consuming!.Items;

    private void CancelAll()
    {
        foreach (MapChunk chunk in Outstanding())
            _core.Cancel(chunk);
    }

    private MapChunk[] Outstanding()
    {
        lock (_gate)
            return [.. _outstanding];
    }

    /// <summary>Nobody wants the rest.</summary>
    internal void Abandon()
    {
        _registration.Dispose();
        lock (_gate)
        {
            _abandoned = true;
            foreach (MapChunk chunk in _ordered.Concat(_finished))
            {
                if (chunk.IsDone)
                    chunk.Answer?.Dispose();
            }
        }
        foreach (MapChunk chunk in Outstanding())
            _core.Withdraw(chunk);
    }

    void IValueTaskSource.GetResult(short token) => _signal.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _signal.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _signal.OnCompleted(continuation, state, token, flags);
}
