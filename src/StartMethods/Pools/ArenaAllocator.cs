namespace StartMethods.Pools;

/// <summary>
/// Which pieces of an arena are in use; kept by its writer in memory of its own. Always the lowest place that is free, because pages that exist
/// already cost nothing: a fresh page is ten times as expensive as a copy into a used one.
/// </summary>
internal sealed class ArenaAllocator(long capacity)
{
    private const long Alignment = 64;
    private readonly List<(long Offset, long Length, uint Owner)> _used = []; // in order of offset

    /// <summary>The end of the pages that were ever used since the last <see cref="Trimmed"/>.</summary>
    internal long HighWater { get; private set; }

    internal bool IsEmpty => _used.Count == 0;

    /// <summary>A place for <paramref name="length"/> bytes that belong to the record at ring position <paramref name="owner"/>.</summary>
    internal bool TryAllocate(long length, uint owner, out long offset)
    {
        long rounded = (length + Alignment - 1) & -Alignment;
        offset = 0;
        int at = 0;
        while (at < _used.Count && _used[at].Offset - offset < rounded)
        {
            offset = _used[at].Offset + _used[at].Length;
            at++;
        }
        if (rounded > capacity - offset)
            return false;
        _used.Insert(at, (offset, rounded, owner));
        HighWater = Math.Max(HighWater, offset + rounded);
        return true;
    }

    /// <summary>Frees what belongs to records before <paramref name="tail"/>: the reader is done with them.</summary>
    internal void FreeUpTo(uint tail)
    {
        for (int i = _used.Count - 1; i >= 0; i--)
        {
            if ((int)(tail - _used[i].Owner) > 0)
                _used.RemoveAt(i);
        }
    }

    /// <summary>Whether something of another record is in use, so that waiting can help.</summary>
    internal bool HasOther(uint owner) => _used.Exists(used => used.Owner != owner);

    /// <summary>Takes back what was allocated for a record that was not written after all.</summary>
    internal void Undo(uint owner) => _used.RemoveAll(used => used.Owner == owner);

    /// <summary>The pages above <paramref name="end"/> were given back to the system.</summary>
    internal void Trimmed(long end) => HighWater = Math.Min(HighWater, end);
}
