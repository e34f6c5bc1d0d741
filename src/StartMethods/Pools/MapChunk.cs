namespace StartMethods.Pools;

/// <summary>One task of a map: some of its items. It ends on the pool's thread, and waits in its map until the consumer comes to it.</summary>
internal sealed class MapChunk(int items, Action<MapChunk> ended) : PoolTask
{
    internal int Items { get; } = items;

    /// <summary>What the items take on their way, for as long as it is known.</summary>
    internal long Bytes { get; set; }

    internal Exception? Error { get; set; }

    /// <summary>It has ended: <see cref="PoolTask.Answer"/> or <see cref="Error"/> says how. Written under the lock of its map.</summary>
    internal bool IsDone { get; set; }

    /// <summary>It has a place in a queue that is limited, to be given back when it ends.</summary>
    internal bool HasRoom { get; set; }

    internal override void SetAnswer(WorkerAnswer? answer)
    {
        Answer = answer;
        ended(this);
    }

    internal override void SetException(Exception error)
    {
        Error = error;
        ended(this);
    }
}
