using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using StartMethods.Bootstrap;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <summary>The worker's end of the rings, and the loop that runs its tasks: one at a time, on the main thread.</summary>
internal sealed partial class RingWorker : TaskRunner
{
    // Answers become visible at once if nothing else is to be done, else after this time: several share one wake-up of the application.
    private static readonly long PublishAfter = Stopwatch.Frequency / 20_000; // 50 µs
    private static readonly long MeasureEvery = Stopwatch.Frequency / 4;

    private readonly FileDescriptor _bell;
    private readonly RingMemory _memory;
    private readonly RingConsumer _requests;
    private readonly RingProducer _replies;
    private readonly ArenaAllocator _arena;
    private readonly RingExtent[] _extents = new RingExtent[RingLink.MaxExtents];
    private readonly byte[] _inline = new byte[RingProducer.MaxPayload + 256];
    private readonly List<SharedBytes> _lent = [];
    private readonly ParentLink _parent;
    private readonly HandleInbox _handles = new();
    private RingCancelListener? _listener;
    private long _published, _measured;

    internal RingWorker(WorkerSetup setup) : base(setup)
    {
        _parent = ParentLink.Current ?? throw new InvalidOperationException("This process is not a child that runs a body.");
        _parent.UserFrame = _handles.Receive;
        WorkerConnection connection = setup.Connection!;
        _bell = Take(connection.Bell!);
        using FileDescriptor descriptor = Take(connection.Memory!);
        _memory = RingMemory.Map(descriptor, connection.MemorySize);
        _requests = _memory.RequestConsumer();
        _replies = _memory.ReplyProducer(_bell.Number);
        _arena = new ArenaAllocator(_memory.ArenaSize);
    }

    private static FileDescriptor Take(SafeFileHandle handle)
    {
        var taken = new FileDescriptor((int)handle.DangerousGetHandle());
        handle.SetHandleAsInvalid();
        return taken;
    }

    internal override unsafe void Serve()
    {
        Reply(RingRecordKind.Ready, 0, null, split: 0);
        _replies.Publish();
        RingWatch watch = new() { Word = _requests.HeadAddress, Sleeps = _requests.SleepsAddress, PeerCpu = _requests.PeerCpuAddress, OwnCpu = _replies.OwnCpu };
        RingWaitState wait = new()
        {
            Size = (uint)sizeof(RingWaitState), Count = 1, Watches = &watch, Bells = -1, TimeoutMilliseconds = -1,
            MaxSpinNanoseconds = Setup.MaxSpinNanoseconds, SpinNanoseconds = Setup.MaxSpinNanoseconds,
        };
        while (true)
        {
            while (_requests.TryRead(out RingRecord record, _extents, out ReadOnlySpan<byte> payload))
            {
                if (record.Kind == RingRecordKind.Stop)
                    return;
                RunTask(record, payload);
                _requests.Done();
                PublishIfDue();
            }
            _replies.Publish();
            MeasureMemory();
            watch.Seen = _requests.Seen;
            NativeError.ThrowIfFailed(Native.RingWait(&wait), "waiting for a task");
        }
    }

    private void RunTask(in RingRecord record, ReadOnlySpan<byte> payload)
    {
        // The canceller knows the task before the application can know that it began: a request to end it is never lost.
        bool cooperative = (record.Flags & RingRecordFlags.Cooperative) != 0;
        if (cooperative)
            _listener ??= new RingCancelListener(_memory, Canceller);
        CancellationToken token = cooperative ? Canceller.Enter(record.Id) : default;
        if (_requests.TryBegin())
        {
            int trace = (int)record.Extra;
            using Activity? activity = trace > 0 ? PoolTelemetry.StartTask(payload[^trace..], Setup.Pool) : null;
            FileDescriptor[]? handles = (record.Flags & RingRecordFlags.HasHandles) != 0 ? _handles.Take(record.Id) : null;
            Execute(record.Id, Received(record, payload[..^trace], handles), token, keepsHandles: (record.Flags & RingRecordFlags.KeepsHandles) != 0);
        }
        if (cooperative)
            Canceller.Leave();
    }

    /// <summary>The payload where it is; what is small is copied, so that nothing that was decoded can refer to the ring.</summary>
    private ReceivedPayload Received(in RingRecord record, ReadOnlySpan<byte> payload, FileDescriptor[]? handles)
    {
        int first = (record.Flags & RingRecordFlags.PayloadInArena) != 0 ? 1 : 0;
        ReadOnlyMemory<byte> bytes;
        if (first == 1)
        {
            bytes = Lend(_extents[0]);
        }
        else
        {
            payload.CopyTo(_inline);
            bytes = _inline.AsMemory(0, payload.Length);
        }
        Memory<byte>[]? buffers = record.ExtentCount > first ? new Memory<byte>[record.ExtentCount - first] : null;
        for (int i = first; i < record.ExtentCount; i++)
            buffers![i - first] = Lend(_extents[i]);
        return new ReceivedPayload(bytes, handles, buffers);
    }

    private unsafe Memory<byte> Lend(RingExtent extent)
    {
        var bytes = new SharedBytes(_memory.RequestArenaAddress + extent.Offset, (int)extent.Length);
        _lent.Add(bytes);
        return bytes.Memory;
    }

    protected override void EndLoans()
    {
        if (_lent.Count == 0)
            return;
        foreach (SharedBytes bytes in _lent)
            ((IDisposable)bytes).Dispose();
        _lent.Clear();
    }

    public override void Dispose()
    {
        _parent.UserFrame = null;
        _replies.Publish();
        _listener?.Dispose();
        _memory.Dispose();
        _bell.Dispose();
    }
}
