namespace StartMethods;

/// <summary>How <c>WorkerPool.MapAsync</c> goes through its source.</summary>
public sealed class MapOptions
{
    internal static readonly MapOptions Default = new();

    /// <summary>Results come in the order of the source (default), or as they are ready.</summary>
    public bool Ordered { get; init; } = true;

    internal const int DefaultLookAhead = 200;

    /// <summary>
    /// How many items the source may run ahead of the consumer: no more are in memory at a time, however long the source is. Default: 200, and where items are so quick
    /// and small that more of them make up a chunk, four chunks for each worker. What is set here is kept to exactly.
    /// </summary>
    public int LookAhead
    {
        get => FixedLookAhead ?? DefaultLookAhead;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(LookAhead));
            FixedLookAhead = value;
        }
    }

    /// <summary>Null where nothing was asked for.</summary>
    internal int? FixedLookAhead { get; private init; }

    /// <summary>How many items go to a worker at a time; 0 (default): as many as make about a millisecond of work, measured as it goes, but no more than 1 MiB.</summary>
    public int ChunkSize
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(ChunkSize));
            field = value;
        }
    }

    /// <summary>Is told how far the map is, at most some twenty times a second, and at its end.</summary>
    public IProgress<MapProgress>? Progress { get; init; }

    /// <summary>Priority, time limit (of a chunk) and retries (of a chunk).</summary>
    public WorkerTaskOptions? Task { get; init; }
}

/// <summary>How far a map is.</summary>
/// <param name="Completed">Items whose results were handed to the consumer or are ready for him.</param>
/// <param name="Submitted">Items that were taken from the source.</param>
/// <param name="Total">Items that the source has, where it tells; else null.</param>
/// <param name="Elapsed">Time since the first item was asked for.</param>
public readonly record struct MapProgress(long Completed, long Submitted, long? Total, TimeSpan Elapsed);
