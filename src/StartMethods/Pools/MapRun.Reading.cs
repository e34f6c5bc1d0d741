using System.Diagnostics;

namespace StartMethods.Pools;

/// <content>From the source to the pool.</content>
internal sealed partial class MapRun<T, TResult>
{
    // A batch is handed over at the latest after this time: a source may take its time for each item.
    private static readonly long BatchTime = Stopwatch.Frequency / 50_000; // 20 µs
    private const int BatchSize = 16;

    // The source is read when much of it can go at once, or a worker may soon be idle, or there is nothing else to do.
    private bool IsRunningLow()
    {
        if (_sourceEnded && _next.Count == 0)
            return false;
        if (_reading is { IsCompleted: true })
            return true;
        lock (_gate)
            return _ahead <= _sizer.LookAhead / 2 || _outstanding.Count < Enough || (_options.Ordered ? !_ordered.Peek().IsDone : _finished.Count == 0);
    }

    private async ValueTask ReadAheadAsync(IAsyncEnumerator<T> items)
    {
        try
        {
            while (!_sourceEnded && (_reading is not null || (_ahead < _sizer.LookAhead && (_options.ChunkSize > 0 || _inside < 2 * Enough))))
            {
                if (_reading is null)
                {
                    ValueTask<bool> moving = items.MoveNextAsync();
                    if (!moving.IsCompletedSuccessfully)
                        (_reading, _readingIsWatched) = (moving.AsTask(), false);
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
                    MakeChunk();
            }
            // A part of a chunk is sent only where waiting for its rest could leave a worker idle. Else each chunk that is consumed would make room for one of its own
            // size, and chunks that began small would stay so.
            if (_next.Count > 0 && (_sourceEnded || _reading is not null || _inside < Enough))
                MakeChunk();
        }
        finally
        {
            SubmitBatch(); // whatever the source has thrown: what was made must come to its end
        }
    }

    private void MakeChunk()
    {
        T[] items = [.. _next];
        _next.Clear();
        var chunk = new MapChunk(items.Length, _ended);
        _core.Fill(chunk, _body, hasArgument: true, items, _takesToken, lease: null, _flow, _options.Task, _cancellationToken);
        chunk.Bytes = chunk.Payload!.Size + chunk.Payload.Handles.Count * PoolTask.HandleWeight;
        _inside++;
        if (_options.Ordered)
            _ordered.Enqueue(chunk);
        int outstanding;
        lock (_gate)
        {
            _outstanding.Add(chunk);
            outstanding = _outstanding.Count;
        }
        if (_batch.Count == 0)
            _batchBegan = Stopwatch.GetTimestamp();
        _batch.Add(chunk);
        if (outstanding <= Enough || _batch.Count >= BatchSize || Stopwatch.GetTimestamp() - _batchBegan > BatchTime)
            SubmitBatch();
    }

    private void SubmitBatch()
    {
        if (_batch.Count == 0)
            return;
        if (_core.Options.QueueLimit is null)
        {
            _core.Submit(_batch);
        }
        else
        {
            foreach (MapChunk chunk in _batch)
                _ = SubmitWhenThereIsRoomAsync(chunk);
        }
        _batch.Clear();
        if (_cancellationToken.IsCancellationRequested)
            CancelAll(); // it may have come before these were known
    }

    private async Task SubmitWhenThereIsRoomAsync(MapChunk chunk)
    {
        try
        {
            await _core.EnterQueueAsync(_cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            chunk.Discard();
            chunk.SetException(e);
            return;
        }
        chunk.HasRoom = true;
        _core.Submit(chunk);
    }

    /// <summary>An enumerator must not be disposed of while it moves.</summary>
    internal async ValueTask EndReadingAsync()
    {
        if (_reading is not null)
            await Task.WhenAny(_reading).ConfigureAwait(false);
        _ = _reading?.Exception; // observed: the consumer has left, or is about to see another error
    }
}
