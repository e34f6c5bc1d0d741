namespace StartMethods.Channels;

/// <summary>
/// A buffer of an announced length that holds memory only for what has arrived, times sixteen: an announcement alone costs at most
/// <see cref="FirstStep"/>. Up to that size it is the final array at once; a larger one is copied once or twice while it is still small.
/// </summary>
internal struct GrowingBuffer(int length)
{
    internal const int FirstStep = 4 * 1024 * 1024;
    private const int Factor = 16;

    private byte[] _bytes = length == 0 ? [] : GC.AllocateUninitializedArray<byte>(Math.Min(length, FirstStep));
    private int _filled;

    internal readonly bool IsFull => _filled == length;

    /// <summary>The array, once it is full: exactly of the announced length.</summary>
    internal readonly byte[] Bytes => _bytes;

    /// <summary>Where the next bytes go.</summary>
    internal Span<byte> Free()
    {
        if (_filled == _bytes.Length && _filled < length)
        {
            byte[] larger = GC.AllocateUninitializedArray<byte>((int)Math.Min(length, (long)_filled * Factor));
            _bytes.AsSpan(0, _filled).CopyTo(larger);
            _bytes = larger;
        }
        return _bytes.AsSpan(_filled);
    }

    internal void Advance(int count) => _filled += count;
}
