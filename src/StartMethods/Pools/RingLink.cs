using System.Buffers;
using Microsoft.Win32.SafeHandles;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <summary>A connection by rings in shared memory: the application's end.</summary>
internal sealed partial class RingLink : WorkerLink
{
    /// <summary>The most pieces of an arena that one record may have.</summary>
    internal const int MaxExtents = 1024;

    private readonly FileDescriptor _descriptor;
    private readonly FileDescriptor _bell;
    private readonly RingMemory _memory;
    private readonly RingProducer _requests;
    private readonly RingConsumer _replies;
    private readonly ArenaAllocator _arena;
    private readonly Deque<PoolTask> _pending = new(); // for which there is no room yet
    private readonly RingExtent[] _extents = new RingExtent[MaxExtents];
    private readonly long _maxResultBytes;
    private WorkerConnection? _given;
    private bool _stopPending;
    private long _replyHighWater;

    internal RingLink(FileDescriptor bells, long maxResultBytes)
    {
        _maxResultBytes = maxResultBytes;
        _bell = new FileDescriptor(NativeError.ThrowIfFailed(Native.BellCreate(), "eventfd for a pool worker"));
        try
        {
            NativeError.ThrowIfFailed(Native.BellsAdd(bells.Number, _bell.Number), "epoll_ctl for a pool worker");
            (_descriptor, _memory) = RingMemory.Create();
        }
        catch
        {
            _bell.Dispose();
            throw;
        }
        _requests = _memory.RequestProducer();
        _replies = _memory.ReplyConsumer();
        _arena = new ArenaAllocator(_memory.ArenaSize);
    }

    internal override bool CanRevoke => true;

    internal override long WorkerMemory => Volatile.Read(ref _memory.Word(RingWord.WorkerMemory));

    /// <summary>
    /// What the worker needs to find its end: duplicates, which it takes over. In a forked copy of this process they are its own, whatever becomes of this object's
    /// descriptors there, and the bell is one that a copy keeps: members of an epoll set are replaced in it.
    /// </summary>
    internal WorkerConnection Connection()
    {
        _given = new WorkerConnection { Memory = Duplicate(_descriptor), MemorySize = _memory.Size };
        _given.Bell = Duplicate(_bell);
        return _given;
    }

    private static SafeFileHandle Duplicate(FileDescriptor descriptor) =>
        new(NativeError.ThrowIfFailed(Native.ChannelDuplicate(descriptor.Number), "fcntl(F_DUPFD_CLOEXEC) for a pool worker"), ownsHandle: true);

    // Not before the worker has spoken: until then they may be on their way.
    private void CloseGiven()
    {
        _given?.Memory?.Dispose();
        _given?.Bell?.Dispose();
        _given = null;
    }

    internal override void Send(PoolTask task)
    {
        if (_pending.Count > 0 || !TryWrite(task))
            _pending.AddLast(task);
    }

    private bool TryWrite(PoolTask task)
    {
        EncodedPayload payload = task.Payload!;
        ReadOnlySpan<byte> inline = payload.Bytes.Span;
        bool outside = inline.Length > RingProducer.MaxPayload;
        int count = payload.Buffers.Count + (outside ? 1 : 0);
        if (count > 0 && !TryFillExtents(payload, outside, count))
            return false;
        var record = new RingRecord
        {
            Kind = RingRecordKind.Task, Id = task.Id,
            Flags = (ushort)((outside ? RingRecordFlags.PayloadInArena : 0) | (task.Cooperative ? RingRecordFlags.Cooperative : 0)
                | (task.Handles is null ? 0 : RingRecordFlags.HasHandles) | (task.Lease is null ? 0 : RingRecordFlags.KeepsHandles)),
        };
        uint owner = _requests.Head;
        if (_requests.TryWrite(ref record, _extents.AsSpan(0, count), outside ? default : inline, task.TraceParent, out uint position))
        {
            task.RingPosition = position;
            if (task.Handles is not null)
                SendHandles(task);
            return true;
        }
        if (count > 0)
            _arena.Undo(owner);
        return false;
    }

    // The copy is the one that the way to another process costs; the worker reads in place.
    private unsafe bool TryFillExtents(EncodedPayload payload, bool outside, int count)
    {
        uint owner = _requests.Head;
        _arena.FreeUpTo(_requests.ReadTail());
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> bytes = outside && i == 0 ? payload.Bytes.Span : payload.Buffers[outside ? i - 1 : i].Span;
            if (!_arena.TryAllocate(bytes.Length, owner, out long offset))
            {
                _arena.Undo(owner);
                return false;
            }
            bytes.CopyTo(new Span<byte>(_memory.RequestArenaAddress + offset, bytes.Length)); // the allocator keeps it within the arena
            _extents[i] = new RingExtent(offset, bytes.Length);
        }
        return true;
    }

    private static readonly Lazy<long> Capacity = new(static () =>
    {
        (FileDescriptor descriptor, RingMemory memory) = RingMemory.Create();
        using (descriptor)
        using (memory)
            return memory.ArenaSize;
    });

    /// <summary>Refuses what would not even fit into an empty connection.</summary>
    /// <exception cref="PayloadException">It is too large.</exception>
    internal static void ThrowIfTooLarge(EncodedPayload payload)
    {
        if (payload.Buffers.Count == 0 && payload.Bytes.Length <= RingProducer.MaxPayload)
            return;
        long total = payload.Bytes.Length + 64;
        foreach (ReadOnlyMemory<byte> buffer in payload.Buffers)
            total += buffer.Length + 64;
        if (payload.Buffers.Count >= MaxExtents)
            throw new PayloadException($"A task has {payload.Buffers.Count} large buffers; a pool worker takes {MaxExtents - 1} at a time. Join them, or send them with several tasks.");
        if (total > Capacity.Value)
            throw new PayloadException($"A task has {total} bytes; a pool worker takes {Capacity.Value} at a time. Send it in parts, or by a file.");
    }

    internal override void Flush()
    {
        while (_pending.First is { } task && TryWrite(task))
            _pending.RemoveFirst();
        if (_stopPending && _pending.Count == 0 && TryWriteStop())
            _stopPending = false;
        _requests.Publish();
    }

    internal override void Stop() => _stopPending = true;

    private bool TryWriteStop()
    {
        var record = new RingRecord { Kind = RingRecordKind.Stop };
        return _requests.TryWrite(ref record, default, default, null, out _);
    }

    internal override bool TryRevoke(PoolTask task)
    {
        if (_pending.Remove(task))
            return true;
        if (!_requests.TryRevoke(task.RingPosition))
            return false;
        if (task.Handles is not null)
            DropHandles(task);
        return true;
    }

    internal override bool HasBegun(PoolTask task)
    {
        for (int i = 0; i < _pending.Count; i++)
        {
            if (_pending[i] == task)
                return false;
        }
        return _requests.IsBegun(task.RingPosition);
    }

    internal override unsafe void Ask(long taskId)
    {
        Volatile.Write(ref _memory.Word(RingWord.AskTask), taskId);
        Interlocked.Increment(ref *(int*)_memory.WordAddress(RingWord.AskSequence));
        _ = Native.RingWake(_memory.WordAddress(RingWord.AskSequence));
    }

    internal override unsafe bool TryGetWatch(out RingWatch watch)
    {
        watch = new RingWatch { Word = _replies.HeadAddress, Sleeps = _replies.SleepsAddress, PeerCpu = _replies.PeerCpuAddress, Seen = _replies.Seen };
        return true;
    }

    public override void Dispose()
    {
        CloseGiven();
        CloseInbox();
        _memory.Dispose();
        _descriptor.Dispose();
        _bell.Dispose();
    }
}
