using System.Runtime.CompilerServices;

namespace StartMethods.Interop;

/// <summary>The writing end of a ring: single producer. Records become visible with <see cref="Publish"/>, so that several cost one wake-up.</summary>
internal sealed unsafe class RingProducer
{
    private const uint Mask = RingMemory.RingSize - 1;
    private readonly RingMemory _memory; // keeps the mapping alive
    private readonly byte* _header;
    private readonly byte* _data;
    private readonly int _bell;
    private uint _head;      // the truth about what was written; the copy in the header is for the other side
    private uint _published; // visible to the other side
    private uint _announced; // and it was woken for it
    private uint _tail;

    internal RingProducer(RingMemory memory, byte* header, byte* data, int bell)
    {
        _memory = memory;
        _header = header;
        _data = data;
        _bell = bell;
        *(uint*)(header + Native.RingProducerCpu) = Native.RingAsleep;
    }

    /// <summary>The largest payload that a record may hold; what is larger goes through the arena.</summary>
    internal const int MaxPayload = 16 * 1024;

    internal bool HasUnpublished => _head != _announced;

    /// <summary>The position up to which the other side is done, as far as was seen; more after <see cref="ReadTail"/>.</summary>
    internal uint Tail => _tail;

    /// <summary>Where the next record begins, or the padding before it.</summary>
    internal uint Head => _head;

    /// <summary>Where this side tells on which processor it runs.</summary>
    internal uint* OwnCpu => (uint*)(_header + Native.RingProducerCpu);

    /// <summary>Looks how far the other side is.</summary>
    /// <exception cref="RingCorruptException">It claims to be done with what was never written.</exception>
    internal uint ReadTail()
    {
        uint tail = Volatile.Read(ref *(uint*)(_header + Native.RingTail));
        if (_published - tail > _published - _tail)
            throw new RingCorruptException($"the tail of a ring is {tail}, between {_tail} and {_published} was possible");
        return _tail = tail;
    }

    /// <summary>
    /// Appends a record, if there is room: a copy of <paramref name="record"/> with its lengths filled in, the extents, the payload, and
    /// <paramref name="tail"/> (ASCII) behind it. <paramref name="position"/> names the record later.
    /// </summary>
    internal bool TryWrite(ref RingRecord record, ReadOnlySpan<RingExtent> extents, ReadOnlySpan<byte> payload, string? tail, out uint position)
    {
        int tailLength = tail?.Length ?? 0;
        uint length = (uint)(RingRecord.Size + extents.Length * RingExtent.Size + payload.Length + tailLength + 7) & ~7u;
        uint toEnd = RingMemory.RingSize - (_head & Mask), padding = toEnd < length ? toEnd : 0;
        position = _head + padding;
        if (position + length - _tail > RingMemory.RingSize && position + length - ReadTail() > RingMemory.RingSize)
            return false;
        if (padding > 0)
            *(ulong*)(_data + (_head & Mask)) = padding; // length, kind Padding
        byte* target = _data + (position & Mask);
        record.Length = length;
        record.PayloadLength = (uint)(payload.Length + tailLength);
        if (tailLength > 0)
            record.Extra = (uint)tailLength;
        record.ExtentCount = (uint)extents.Length;
        *(RingRecord*)target = record;
        target += RingRecord.Size;
        foreach (RingExtent extent in extents)
        {
            *(RingExtent*)target = extent;
            target += RingExtent.Size;
        }
        payload.CopyTo(new Span<byte>(target, payload.Length));
        if (tailLength > 0)
            System.Text.Encoding.ASCII.GetBytes(tail, new Span<byte>(target + payload.Length, tailLength));
        _head = position + length;
        return true;
    }

    /// <summary>
    /// Makes what was written visible, and wakes nobody: from here on it outlives this process. An answer that died with a worker would look like a task
    /// that was never finished, or never begun, and be run twice.
    /// </summary>
    internal void Expose()
    {
        _published = _head;
        Volatile.Write(ref *(uint*)(_header + Native.RingHead), _head);
    }

    /// <summary>Makes what was written visible, and wakes the other side if it sleeps.</summary>
    internal void Publish()
    {
        if (_head == _announced)
            return;
        _announced = _published = _head;
        *(uint*)(_header + Native.RingProducerCpu) = (uint)Native.RingProcessor();
        Volatile.Write(ref *(uint*)(_header + Native.RingHead), _head);
        Interlocked.MemoryBarrier(); // the head before the look at the sleeper, who does it the other way round
        if (*(uint*)(_header + Native.RingConsumerSleeps) == 0)
            return;
        if (_bell >= 0)
            NativeError.ThrowIfFailed(Native.BellRing(_bell), "waking the application");
        else
            NativeError.ThrowIfFailed(Native.RingWake((uint*)(_header + Native.RingHead)), "waking a pool worker");
    }

    /// <summary>Sleeps until the other side may have made room.</summary>
    internal void WaitForRoom()
    {
        Publish();
        NativeError.ThrowIfFailed(Native.RingWaitForRoom(_header, _tail, timeoutMilliseconds: 1000), "waiting for room in a ring");
    }

    /// <summary>Takes a record back if the other side has not begun it.</summary>
    internal bool TryRevoke(uint position)
    {
        if ((int)(ReadTail() - position) > 0)
            return false;
        // The space is not used again meanwhile: only this side would do that.
        ref uint state = ref Unsafe.AsRef<uint>(_data + (position & Mask) + RingRecord.StateOffset);
        return Interlocked.CompareExchange(ref state, RingConsumer.StateRevoked, RingConsumer.StateFree) == RingConsumer.StateFree;
    }

    /// <summary>Whether the other side has begun the record (or is done with it).</summary>
    internal bool IsBegun(uint position)
    {
        if ((int)(ReadTail() - position) > 0)
            return true;
        return Volatile.Read(ref *(uint*)(_data + (position & Mask) + RingRecord.StateOffset)) == RingConsumer.StateBegun;
    }
}
