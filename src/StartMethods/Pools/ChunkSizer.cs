namespace StartMethods.Pools;

/// <summary>
/// How many items make up the next task of a map: about a millisecond of work, so that the way to a worker and back hardly counts. And how far the source may
/// be read ahead: what was asked for, else so far that every worker has its chunks.
/// </summary>
internal sealed class ChunkSizer(int fixedSize, int? fixedLookAhead, int workers)
{
    private const double Aim = TimeSpan.TicksPerMillisecond;
    private const int MostItems = 8192;         // of a chunk, where nothing else limits it: beyond that nothing is gained
    private const double MostBytes = 1 << 20;   // of a chunk: quick items may be large
    private double _items, _ticks, _bytes; // of the chunks so far, the last ones counting most
    private int _size = fixedSize > 0 ? Math.Min(fixedSize, fixedLookAhead ?? int.MaxValue) : 1;

    internal int Size => _size;

    /// <summary>How many items may be read and not consumed.</summary>
    internal int LookAhead => fixedLookAhead ?? (int)Math.Clamp((long)_size * ChunksAhead * workers, MapOptions.DefaultLookAhead, int.MaxValue);

    // One to run, one to go on with, and as many on their way back to a consumer who takes them in order.
    private const int ChunksAhead = 4;

    /// <summary>
    /// A chunk took so long in its worker. Not until its answer arrived: on a busy machine the way there and back is longer than many items, and chunks that are
    /// made small for that reason make it worse.
    /// </summary>
    internal void Add(int items, long ticks, long bytes = 0)
    {
        if (fixedSize > 0 || items == 0)
            return;
        // By items, not by chunks: the first chunks are small, and what each chunk costs by itself says nothing about the items of a large one.
        (_items, _ticks, _bytes) = (_items / 2 + items, _ticks / 2 + Math.Max(1, ticks), _bytes / 2 + Math.Max(1, bytes));
        // Every worker shall have one chunk to run and one to go on with; and a single measurement is not trusted for more than a fourfold step.
        double most = fixedLookAhead is { } given ? given / (2 * workers) : Math.Min(MostItems, MostBytes * _items / _bytes);
        _size = (int)Math.Clamp(Math.Min(Aim * _items / _ticks, _size * 4.0), 1, Math.Max(1, most));
    }
}
