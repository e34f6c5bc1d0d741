using System.Diagnostics;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <content>How answers leave.</content>
internal sealed partial class RingWorker
{
    protected override void Reply(RingRecordKind kind, long id, EncodedPayload? payload, int split)
    {
        ReadOnlySpan<byte> inline = payload is null ? default : payload.Bytes.Span;
        bool outside = inline.Length > RingProducer.MaxPayload;
        int count = payload is null ? 0 : payload.Buffers.Count + (outside ? 1 : 0);
        for (int i = 0; i < count; i++)
            _extents[i] = Store(outside && i == 0 ? inline : payload!.Buffers[outside ? i - 1 : i].Span);
        var record = new RingRecord { Kind = kind, Id = id, Extra = (uint)split, State = RunTicks, Flags = outside ? RingRecordFlags.PayloadInArena : (ushort)0 };
        while (!_replies.TryWrite(ref record, _extents.AsSpan(0, count), outside ? default : inline, null, out _))
            _replies.WaitForRoom();
        _replies.Expose();
    }

    private unsafe RingExtent Store(ReadOnlySpan<byte> bytes)
    {
        uint owner = _replies.Head; // nothing is written between this and the record
        _arena.FreeUpTo(_replies.ReadTail());
        long offset;
        while (!_arena.TryAllocate(bytes.Length, owner, out offset))
        {
            if (_arena.IsEmpty || !_arena.HasOther(owner))
                throw new PayloadException($"The result has more bytes than the {_memory.ArenaSize} that the connection of a pool worker takes at a time. Return it in parts.");
            _replies.WaitForRoom();
            _arena.FreeUpTo(_replies.ReadTail());
        }
        bytes.CopyTo(new Span<byte>(_memory.ReplyArenaAddress + offset, bytes.Length));
        return new RingExtent(offset, bytes.Length);
    }

    private void PublishIfDue()
    {
        if (!_replies.HasUnpublished)
            return;
        long now = Stopwatch.GetTimestamp();
        if (now - _published < PublishAfter)
            return;
        _published = now;
        _replies.Publish();
        MeasureMemory();
    }

    private void MeasureMemory()
    {
        if (!Setup.MeasuresMemory || Stopwatch.GetTimestamp() - _measured < MeasureEvery)
            return;
        _measured = Stopwatch.GetTimestamp();
        Volatile.Write(ref _memory.Word(RingWord.WorkerMemory), Environment.WorkingSet);
    }
}
