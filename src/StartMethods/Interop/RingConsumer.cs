using System.Runtime.CompilerServices;

namespace StartMethods.Interop;

/// <summary>
/// The reading end of a ring: single consumer. What the other side wrote is hostile: every number is copied once, and the copy is checked against what
/// was possible; nothing is read outside the ring or beyond what was published.
/// </summary>
internal sealed unsafe class RingConsumer
{
    internal const uint StateFree = 0, StateBegun = 1, StateRevoked = 2;
    private const uint Mask = RingMemory.RingSize - 1;
    private readonly RingMemory _memory; // keeps the mapping alive
    private readonly byte* _header;
    private readonly byte* _data;
    private uint _tail;
    private uint _available; // head as it was seen and checked
    private uint _length;    // of the record that was read and is not yet done

    internal RingConsumer(RingMemory memory, byte* header, byte* data)
    {
        _memory = memory;
        _header = header;
        _data = data;
    }

    internal uint* HeadAddress => (uint*)(_header + Native.RingHead);
    internal uint* SleepsAddress => (uint*)(_header + Native.RingConsumerSleeps);
    internal uint* PeerCpuAddress => (uint*)(_header + Native.RingProducerCpu);

    /// <summary>The head that was seen: a waiter waits for another one.</summary>
    internal uint Seen => _available;

    /// <summary>
    /// The next record, in place until <see cref="Done"/>. <paramref name="extents"/> is a copy; <paramref name="payload"/> is shared memory, which the
    /// other side can still change.
    /// </summary>
    /// <exception cref="RingCorruptException">What stands in the ring is no record.</exception>
    internal bool TryRead(out RingRecord record, Span<RingExtent> extents, out ReadOnlySpan<byte> payload)
    {
        while (true)
        {
            if (_tail == _available && !SeeMore())
            {
                record = default;
                payload = default;
                return false;
            }
            byte* source = _data + (_tail & Mask);
            uint toEnd = RingMemory.RingSize - (_tail & Mask), limit = Math.Min(toEnd, _available - _tail);
            ulong first = Volatile.Read(ref *(ulong*)source);
            if ((RingRecordKind)(ushort)(first >> 32) == RingRecordKind.Padding)
            {
                if ((uint)first != toEnd || toEnd > limit)
                    throw new RingCorruptException($"padding of {(uint)first} bytes stands {toEnd} bytes before the end of a ring");
                _tail += toEnd;
                continue;
            }
            if (limit < RingRecord.Size)
                throw new RingCorruptException($"a record has {limit} bytes");
            record = Unsafe.ReadUnaligned<RingRecord>(source); // the one and only look at it
            CheckLength(record, limit, extents.Length);
            source += RingRecord.Size;
            for (int i = 0; i < record.ExtentCount; i++, source += RingExtent.Size)
                extents[i] = *(RingExtent*)source;
            payload = new ReadOnlySpan<byte>(source, (int)record.PayloadLength);
            _length = record.Length;
            return true;
        }
    }

    private static void CheckLength(in RingRecord record, uint limit, int maxExtents)
    {
        ulong needed = RingRecord.Size + (ulong)record.ExtentCount * RingExtent.Size + record.PayloadLength;
        if (record.Length > limit || (record.Length & 7) != 0 || needed > record.Length || record.ExtentCount > maxExtents || record.Kind > RingRecordKind.InitializerFailed)
        {
            throw new RingCorruptException($"a record of kind {(ushort)record.Kind} says that it has {record.Length} bytes with {record.ExtentCount} extents "
                + $"and {record.PayloadLength} bytes of payload, {limit} bytes are there");
        }
    }

    private bool SeeMore()
    {
        uint head = Volatile.Read(ref *HeadAddress);
        if (head == _available)
            return false;
        if (head - _tail > RingMemory.RingSize || (head & 7) != 0)
            throw new RingCorruptException($"the head of a ring is {head}, its tail {_tail}, its size {RingMemory.RingSize}");
        _available = head;
        return true;
    }

    /// <summary>Says that the record that was read begins to run; false if it was taken back.</summary>
    internal bool TryBegin() =>
        Interlocked.CompareExchange(ref *(uint*)(_data + (_tail & Mask) + RingRecord.StateOffset), StateBegun, StateFree) == StateFree;

    /// <summary>The record that was read, and what it has in the arena, is needed no more: its space is the producer's again.</summary>
    internal void Done()
    {
        _tail += _length;
        _length = 0;
        Volatile.Write(ref *(uint*)(_header + Native.RingTail), _tail);
        Interlocked.MemoryBarrier(); // the tail before the look at the producer, who does it the other way round
        if (*(uint*)(_header + Native.RingProducerWaits) != 0)
            _ = Native.RingWake((uint*)(_header + Native.RingTail));
    }
}

/// <summary>What stands in shared memory could not have been written by the library: the other side is broken or hostile.</summary>
internal sealed class RingCorruptException(string message) : StartMethodException(message + ". The worker's memory is damaged, or its code is hostile; it is ended");
