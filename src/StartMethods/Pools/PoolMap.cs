using System.Diagnostics;
using System.Threading.Channels;

namespace StartMethods.Pools;

/// <summary>
/// A map on its way. It is driven by its consumer: each MoveNextAsync first reads as much of the source as may be ahead, then waits for the next results. Nothing
/// runs in between, and nobody else reads the source.
/// </summary>
internal sealed class PoolMap<T, TResult>(
    PoolCore core, MapSource<T> source, Delegate body, bool takesToken, MapOptions? options, CancellationToken cancellationToken) : IAsyncEnumerable<TResult>
{
    private readonly MapOptions _options = options ?? MapOptions.Default;

    public IAsyncEnumerator<TResult> GetAsyncEnumerator(CancellationToken enumeration = default) => EnumerateAsync(enumeration);

    private async IAsyncEnumerator<TResult> EnumerateAsync(CancellationToken enumeration)
    {
        core.ThrowIfCopied();
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, enumeration);
        var run = new MapRun<T, TResult>(core, body, takesToken, _options, source.Total, linked.Token);
        IAsyncEnumerator<T> items = source.Read(linked.Token);
        try
        {
            while (await run.NextAsync(items).ConfigureAwait(false) is { } results)
            {
                foreach (TResult result in results)
                    yield return result;
                run.Consumed();
            }
        }
        finally
        {
            run.Abandon();
            await run.EndReadingAsync().ConfigureAwait(false);
            await items.DisposeAsync().ConfigureAwait(false);
        }
    }
}

/// <summary>The state of one enumeration.</summary>
internal sealed class MapRun<T, TResult>(PoolCore core, Delegate body, bool takesToken, MapOptions options, long? total, CancellationToken cancellationToken)
{
    private static long s_lastFlow;
    private readonly long _flow = Interlocked.Increment(ref s_lastFlow);
    private readonly ChunkSizer _sizer = new(options.ChunkSize, options.LookAhead, core.Options.Workers);
    private readonly Queue<Task<Chunk>> _ordered = new();
    private readonly Channel<Chunk> _finished = Channel.CreateUnbounded<Chunk>(new UnboundedChannelOptions { SingleReader = true });
    private readonly HashSet<PoolTask> _outstanding = [];
    private readonly List<T> _next = [];
    private readonly MapReporter _reporter = new(options.Progress, total);
    private Task<bool>? _reading;
    private Chunk? _consuming;
    private bool _sourceEnded;
    private int _ahead; // items that were read and whose results were not consumed

    private sealed record Chunk(PoolTask Task, int Items)
    {
        internal WorkerAnswer? Answer { get; set; }
        internal Exception? Error { get; set; }
    }

    /// <summary>The results of the next chunk; null at the end.</summary>
    internal async ValueTask<TResult[]?> NextAsync(IAsyncEnumerator<T> items)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_consuming is { Error: { } error })
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error);
            await ReadAheadAsync(items).ConfigureAwait(false);
            if (_outstanding.Count == 0)
            {
                if (_sourceEnded)
                {
                    _reporter.End();
                    return null;
                }
                await _reading!.ConfigureAwait(false);
                continue;
            }
            if (await FinishedAsync().ConfigureAwait(false) is { } chunk)
                return Take(chunk);
        }
    }

    private async ValueTask ReadAheadAsync(IAsyncEnumerator<T> items)
    {
        while (!_sourceEnded && _ahead < options.LookAhead && (options.ChunkSize > 0 || _outstanding.Count < 2 * Enough))
        {
            if (_reading is null)
            {
                ValueTask<bool> moving = items.MoveNextAsync();
                if (!moving.IsCompletedSuccessfully)
                    _reading = moving.AsTask();
                else if (!moving.Result)
                    _sourceEnded = true;
            }
            if (_reading is not null)
            {
                if (!_reading.IsCompleted)
                    break; // a slow source: what was read so far need not wait for it
                _sourceEnded = !await _reading.ConfigureAwait(false);
                _reading = null;
            }
            if (_sourceEnded)
                break;
            _next.Add(items.Current);
            _ahead++;
            _reporter.Submitted++;
            if (_next.Count >= _sizer.Size)
                Submit();
        }
        // A part of a chunk is sent only where waiting for its rest could leave a worker idle. Else each chunk that is consumed would make room for one of its own
        // size, and chunks that began small would stay so.
        if (_next.Count > 0 && (_sourceEnded || _reading is not null || _outstanding.Count < Enough))
            Submit();
    }

    /// <summary>So many chunks on their way keep every worker busy.</summary>
    private int Enough => 2 * core.Options.Workers;

    private void Submit()
    {
        T[] items = [.. _next];
        _next.Clear();
        var task = new PoolTask();
        core.Fill(task, body, hasArgument: true, items, takesToken, lease: null, _flow, options.Task, cancellationToken);
        var chunk = new Chunk(task, items.Length);
        _outstanding.Add(task);
        Task<Chunk> running = RunAsync(chunk);
        if (options.Ordered)
            _ordered.Enqueue(running);
    }

    // Never fails: a chunk that nobody awaits any more leaves no unobserved exception.
    private async Task<Chunk> RunAsync(Chunk chunk)
    {
        try
        {
            chunk.Answer = await core.RunToEndAsync(chunk.Task, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            chunk.Error = e;
        }
        if (!options.Ordered)
            _finished.Writer.TryWrite(chunk);
        return chunk;
    }

    /// <summary>The chunk that is next for the consumer; null where the source had something new before that.</summary>
    private async ValueTask<Chunk?> FinishedAsync()
    {
        if (options.Ordered)
        {
            Task<Chunk> first = _ordered.Peek();
            if (_reading is not null && await Task.WhenAny(first, _reading).ConfigureAwait(false) != first)
                return null;
            await first.ConfigureAwait(false);
            return await _ordered.Dequeue().ConfigureAwait(false);
        }
        if (_finished.Reader.TryRead(out Chunk? ready))
            return ready;
        Task<bool> waiting = _finished.Reader.WaitToReadAsync(CancellationToken.None).AsTask();
        if (_reading is not null && await Task.WhenAny(waiting, _reading).ConfigureAwait(false) != waiting)
            return null;
        await waiting.ConfigureAwait(false);
        return _finished.Reader.TryRead(out ready) ? ready : null;
    }

    private TResult[] Take(Chunk chunk)
    {
        _outstanding.Remove(chunk.Task);
        _consuming = chunk;
        using WorkerAnswer? answer = chunk.Answer;
        chunk.Answer = null;
        if (answer is null)
            return [];
        _sizer.Add(chunk.Items, answer.RunTicks);
        TResult[] results = answer.Succeeded ? core.ReadResult<TResult[]>(answer, body) : [];
        if (!answer.Succeeded || answer.HasFailureBehind)
            chunk.Error = answer.ReadFailure();
        else if (results.Length != chunk.Items)
            chunk.Error = new StartMethodException($"A worker of the pool '{core.Name}' answered {chunk.Items} items with {results.Length} results.");
        _reporter.Completed += results.Length;
        _reporter.Report();
        return results;
    }

    /// <summary>The consumer has had the results of the chunk: the source may be read on.</summary>
    internal void Consumed() => _ahead -= _consuming!.Items;

    /// <summary>Nobody wants the rest.</summary>
    internal void Abandon()
    {
        foreach (PoolTask task in _outstanding)
            core.Withdraw(task);
    }

    /// <summary>An enumerator must not be disposed of while it moves.</summary>
    internal async ValueTask EndReadingAsync()
    {
        if (_reading is not null)
            await Task.WhenAny(_reading).ConfigureAwait(false);
        _ = _reading?.Exception; // observed: the consumer has left, or is about to see another error
    }
}

/// <summary>Tells how far a map is, not too often.</summary>
internal sealed class MapReporter(IProgress<MapProgress>? progress, long? total)
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private long _reported;

    internal long Submitted { get; set; }
    internal long Completed { get; set; }

    internal void Report()
    {
        if (progress is null || Stopwatch.GetElapsedTime(_reported).TotalMilliseconds < 50)
            return;
        End();
    }

    internal void End()
    {
        _reported = Stopwatch.GetTimestamp();
        progress?.Report(new MapProgress(Completed, Submitted, total, Stopwatch.GetElapsedTime(_started)));
    }
}
