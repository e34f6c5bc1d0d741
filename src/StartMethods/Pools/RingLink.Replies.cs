using System.Buffers;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Pools;

/// <content>What comes back: copied out of the worker's reach before anybody looks at it.</content>
internal sealed partial class RingLink
{
    // What is kept of an arena that was used; pages above it go back to the system when the pool is at rest.
    private const long KeptArena = 1 << 20;

    internal override bool TryReceive(out WorkerMessage message)
    {
        if (!_replies.TryRead(out RingRecord record, _extents, out ReadOnlySpan<byte> payload))
        {
            message = default;
            return false;
        }
        if (_given is not null)
            CloseGiven();
        bool succeeded = record.Kind == RingRecordKind.Result;
        Frame? handles = null;
        if ((record.Flags & RingRecordFlags.HasHandles) != 0 && (handles = TakeHandles(record.Id)) is null)
        {
            message = default;
            return false; // it is read again when they are here
        }
        try
        {
            message = Understand(record, payload, succeeded, handles);
        }
        catch
        {
            handles?.Dispose();
            throw;
        }
        _replies.Done();
        return true;
    }

    private WorkerMessage Understand(in RingRecord record, ReadOnlySpan<byte> payload, bool succeeded, Frame? handles) => record.Kind switch
    {
        RingRecordKind.Ready => new WorkerMessage(WorkerMessageKind.Ready, 0, null),
        RingRecordKind.InitializerFailed => new WorkerMessage(WorkerMessageKind.InitializerFailed, 0, Copy(record, payload, succeeded: false)),
        RingRecordKind.Result or RingRecordKind.Failure => new WorkerMessage(WorkerMessageKind.Answer, record.Id, Copy(record, payload, succeeded, handles)),
        _ => throw new RingCorruptException($"a worker sent a record of kind {record.Kind}"),
    };

    private unsafe WorkerAnswer Copy(in RingRecord record, ReadOnlySpan<byte> payload, bool succeeded, Frame? handles = null)
    {
        bool outside = (record.Flags & RingRecordFlags.PayloadInArena) != 0;
        CheckExtents(record, outside);
        ReadOnlySpan<byte> source = outside ? Extent(0) : payload;
        int split = (int)record.Extra, first = outside ? 1 : 0;
        if ((uint)split > (uint)source.Length)
            throw new RingCorruptException($"an answer of {source.Length} bytes is divided at {split}");
        byte[] rented = source.Length == 0 ? [] : ArrayPool<byte>.Shared.Rent(source.Length);
        source.CopyTo(rented);
        Memory<byte>[]? buffers = record.ExtentCount > first ? new Memory<byte>[record.ExtentCount - first] : null;
        for (int i = first; i < record.ExtentCount; i++)
        {
            ReadOnlySpan<byte> bytes = Extent(i);
            byte[] copy = Payloads.LargeArray.Create(bytes.Length);
            bytes.CopyTo(copy);
            buffers![i - first] = copy;
        }
        return new WorkerAnswer(succeeded, rented, source.Length, split, buffers) { Handles = handles?.Descriptors, RunTicks = record.State };
    }

    private unsafe ReadOnlySpan<byte> Extent(int index) => new(_memory.ReplyArenaAddress + _extents[index].Offset, (int)_extents[index].Length);

    private void CheckExtents(in RingRecord record, bool outside)
    {
        long total = 0;
        for (int i = 0; i < record.ExtentCount; i++)
        {
            RingExtent extent = _extents[i];
            if (extent.Length < 0 || extent.Length > Array.MaxLength || extent.Offset < 0 || extent.Offset > _memory.ArenaSize - extent.Length)
                throw new RingCorruptException($"a piece of {extent.Length} bytes at {extent.Offset} is outside of the shared arena");
            total += extent.Length;
            _replyHighWater = Math.Max(_replyHighWater, extent.Offset + extent.Length);
        }
        if (outside && record.ExtentCount == 0)
            throw new RingCorruptException("a payload is said to be in the arena, but has no place there");
        if (total > _maxResultBytes)
            throw new RingCorruptException($"an answer has {total} bytes, more than WorkerPoolOptions.MaxResultBytes ({_maxResultBytes}) allows");
    }

    /// <summary>Called when nothing is on its way: the pages of large payloads do not stay for ever.</summary>
    internal override void Trim()
    {
        _arena.FreeUpTo(_requests.ReadTail());
        if (_arena.IsEmpty && _arena.HighWater > KeptArena)
        {
            _memory.DiscardArena(_descriptor, reply: false, KeptArena, _arena.HighWater);
            _arena.Trimmed(KeptArena);
        }
        if (_replyHighWater > KeptArena)
        {
            _memory.DiscardArena(_descriptor, reply: true, KeptArena, _replyHighWater);
            _replyHighWater = 0;
        }
    }
}
