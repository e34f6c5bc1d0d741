using System.Collections.Concurrent;
using System.Diagnostics;
using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <summary>The worker's end of the portable connection. The thread that reads the channel brings the messages; the main thread runs the tasks.</summary>
internal sealed class FrameWorker : TaskRunner
{
    private readonly ParentLink _parent;
    private readonly BlockingCollection<Frame> _received = [];

    internal FrameWorker(WorkerSetup setup) : base(setup)
    {
        _parent = ParentLink.Current ?? throw new InvalidOperationException("This process is not a child that runs a body.");
        _parent.UserFrame = Received;
    }

    private bool Received(Frame frame)
    {
        if (frame.Type == FrameMessage.Ask)
        {
            Canceller.Ask(FrameMessage.ReadHead(frame).TaskId);
            return false;
        }
        _received.Add(frame);
        return true;
    }

    internal override void Serve()
    {
        _parent.Send(new FrameContent(FrameMessage.Ready, FrameMessage.Head(0, 0, false, default)));
        foreach (Frame frame in _received.GetConsumingEnumerable())
        {
            using (frame)
            {
                if (frame.Type != FrameMessage.Task)
                    return;
                RunTask(frame);
            }
        }
    }

    private void RunTask(Frame frame)
    {
        (long id, int trace, bool cooperative) = FrameMessage.ReadHead(frame);
        CancellationToken token = cooperative ? Canceller.Enter(id) : default;
        ReadOnlyMemory<byte> payload = frame.Payload[FrameMessage.HeadSize..];
        using Activity? activity = trace > 0 ? PoolTelemetry.StartTask(payload.Span[^trace..], Setup.Pool) : null;
        _parent.Send(new FrameContent(FrameMessage.Begun, FrameMessage.Head(id, 0, false, default))); // it outlives this process: from here on the task is no other worker's
        Execute(id, new ReceivedPayload(payload[..^trace], buffers: Array.ConvertAll(frame.LargeBuffers, static buffer => new Memory<byte>(buffer))), token);
        if (cooperative)
            Canceller.Leave();
    }

    protected override void Reply(RingRecordKind kind, long id, EncodedPayload? payload, int split)
    {
        FrameType type = kind switch
        {
            RingRecordKind.Result => FrameMessage.Result,
            RingRecordKind.InitializerFailed => FrameMessage.InitializerFailed,
            _ => FrameMessage.Failure,
        };
        byte[] bytes = FrameMessage.Head(id, split, false, payload is null ? default : payload.Bytes.Span, runTicks: RunTicks);
        _parent.Send(new FrameContent(type, bytes) { LargeBuffers = payload is { Buffers.Count: > 0 } ? payload.Buffers : null });
        if (Setup.MeasuresMemory)
            _parent.Send(new FrameContent(FrameMessage.Ready, FrameMessage.Head(Environment.WorkingSet, 0, false, default)));
    }

    public override void Dispose()
    {
        _parent.UserFrame = null;
        _received.Dispose();
    }
}
