using System.Diagnostics;
using System.Runtime.InteropServices;
using StartMethods.Channels;
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
        bool hasHandles = payload is { Handles.Count: > 0 };
        if (hasHandles)
            SendHandles(id, payload!.Handles);
        var record = new RingRecord
        {
            Kind = kind, Id = id, Extra = (uint)split, State = RunTicks, Flags = (ushort)((outside ? RingRecordFlags.PayloadInArena : 0) | (hasHandles ? RingRecordFlags.HasHandles : 0)),
        };
        uint position;
        while (!_replies.TryWrite(ref record, _extents.AsSpan(0, count), outside ? default : inline, null, out position))
            _replies.WaitForRoom();
        if (hasHandles)
            _lastWithHandles = position;
        _replies.Expose();
    }

    protected override bool CarriesHandles => true;

    // One at a time: what an application holds for a worker is bounded, whatever the worker does.
    private void SendHandles(long id, IReadOnlyList<SafeHandle> handles)
    {
        while (_lastWithHandles is { } last && (int)(_replies.ReadTail() - last) <= 0)
            _replies.WaitForRoom();
        _parent.Send(new FrameContent(FrameMessage.Handles, FrameMessage.Head(id, 0, false, default)) { Descriptors = handles });
    }

    private uint? _lastWithHandles;

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
