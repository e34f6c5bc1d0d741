namespace StartMethods.Payloads;

/// <summary>
/// Arrays for large buffers that come again and again. The collector gives a region of large objects back to the system as soon as nothing in it lives, and large objects that live
/// for one task only make it look after every three megabytes: each task then paid for fresh pages. One small object that lives on, behind some room, keeps the region;
/// the room in front of it, once it has been used, is used again. `docs/pool.md` has the figures.
/// </summary>
internal static class LargeArray
{
    /// <summary>What is larger has a region of its own, which the collector keeps for the next one of its size.</summary>
    internal const int LargestKept = 4 << 20;

    private const int LeastRoom = 8 << 20;    // address space: pages exist once they were used
    private const int AnchorSize = 90_000;    // just large enough to stand among large objects
    private const int WorthIt = 4;            // arrays that were made before: a few large ones are no habit

    private static readonly List<byte[]> Anchors = []; // at most two: room for arrays up to 2 MiB, and for larger ones
    private static int s_made, s_room;

    /// <summary>An array that the caller fills: it may hold anything.</summary>
    internal static byte[] Create(int length)
    {
        if (length is >= WireFormat.OutOfBandThreshold and <= LargestKept && 4 * length > Volatile.Read(ref s_room) && Interlocked.Increment(ref s_made) >= WorthIt)
            Anchor(Math.Max(LeastRoom, 4 * length));
        return GC.AllocateUninitializedArray<byte>(length);
    }

    private static void Anchor(int size)
    {
        lock (Anchors)
        {
            if (size <= s_room)
                return;
            if (s_room > 0)
                size = 4 * LargestKept;
            byte[] room = GC.AllocateUninitializedArray<byte>(size);
            Anchors.Add(GC.AllocateUninitializedArray<byte>(AnchorSize));
            GC.KeepAlive(room); // until here: the anchor shall stand behind it
            Volatile.Write(ref s_room, size);
        }
    }
}
