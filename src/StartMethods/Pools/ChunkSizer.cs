namespace StartMethods.Pools;

/// <summary>How many items make up the next task of a map: about a millisecond of work, so that the way to a worker and back hardly counts.</summary>
internal sealed class ChunkSizer(int fixedSize, int lookAhead, int workers)
{
    private const double Aim = TimeSpan.TicksPerMillisecond;
    private double _itemTicks;
    private int _size = fixedSize > 0 ? Math.Min(fixedSize, lookAhead) : 1;

    internal int Size => _size;

    /// <summary>
    /// A chunk took so long in its worker. Not until its answer arrived: on a busy machine the way there and back is longer than many items, and chunks that are
    /// made small for that reason make it worse.
    /// </summary>
    internal void Add(int items, long ticks)
    {
        if (fixedSize > 0 || items == 0)
            return;
        double item = Math.Max(1, (double)ticks) / items;
        _itemTicks = _itemTicks == 0 ? item : _itemTicks * 0.7 + item * 0.3;
        // Every worker shall have one chunk to run and one to go on with; and a single measurement is not trusted for more than a fourfold step.
        int most = Math.Max(1, lookAhead / (2 * workers));
        _size = (int)Math.Clamp(Math.Min(Aim / _itemTicks, _size * 4.0), 1, most);
    }
}
