using System.Collections.Concurrent;
using System.Text;
using StartMethods.Channels;
using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <summary>The portable connection: frames of the channel by which the worker was started. It takes one task at a time, because one that was sent cannot be taken back.</summary>
internal sealed class FrameLink(PoolWaiter waiter) : WorkerLink
{
    private readonly ConcurrentQueue<Frame> _received = new();
    private long _begun; // the task that the worker began last

    /// <summary>Set once the worker was started.</summary>
    internal ChildSession? Session { get; set; }

    internal override bool CanRevoke => false;

    /// <summary>Called by the thread that reads the channel.</summary>
    internal void Received(Frame frame)
    {
        _received.Enqueue(frame);
        waiter.Poke();
    }

    internal override void Send(PoolTask task)
    {
        EncodedPayload payload = task.Payload!;
        // Copied: the frame may leave after the task has ended and its buffers have gone back to their owners.
        byte[] bytes = FrameMessage.Head(task.Id, task.TraceParent?.Length ?? 0, task.Cooperative, payload.Bytes.Span, task.TraceParent);
        ReadOnlyMemory<byte>[]? buffers = payload.Buffers.Count == 0 ? null : [.. payload.Buffers.Select(static buffer => (ReadOnlyMemory<byte>)buffer.ToArray())];
        Session!.Post(new FrameContent(FrameMessage.Task, bytes) { LargeBuffers = buffers });
    }

    internal override bool TryRevoke(PoolTask task) => false;

    internal override bool HasBegun(PoolTask task) => task.Id == _begun;

    internal override void Flush() { }

    internal override void Ask(long taskId) => Session!.Post(new FrameContent(FrameMessage.Ask, FrameMessage.Head(taskId, 0, false, default)));

    internal override void Stop() => Session!.Post(new FrameContent(FrameMessage.Stop, FrameMessage.Head(0, 0, false, default)));

    internal override bool TryReceive(out WorkerMessage message)
    {
        while (_received.TryDequeue(out Frame? frame))
        {
            using (frame)
            {
                if (Understand(frame, out message))
                    return true;
            }
        }
        message = default;
        return false;
    }

    // False: nothing that the pool need hear of.
    private bool Understand(Frame frame, out WorkerMessage message)
    {
        (long id, int number, _) = FrameMessage.ReadHead(frame);
        if (frame.Type == FrameMessage.Begun)
        {
            _begun = id;
            message = default;
            return false;
        }
        message = frame.Type switch
        {
            FrameMessage.Ready => new WorkerMessage(WorkerMessageKind.Ready, 0, null),
            FrameMessage.InitializerFailed => new WorkerMessage(WorkerMessageKind.InitializerFailed, 0, Answer(frame, succeeded: false, 0)),
            FrameMessage.Result or FrameMessage.Failure => new WorkerMessage(WorkerMessageKind.Answer, id, Answer(frame, frame.Type == FrameMessage.Result, number)),
            _ => throw new ProtocolException($"a pool worker sent a frame of type {frame.Type}"),
        };
        if (message.Kind == WorkerMessageKind.Ready)
            WorkerMemory = id;
        return true;
    }

    private static WorkerAnswer Answer(Frame frame, bool succeeded, int split)
    {
        byte[] bytes = frame.Payload[FrameMessage.HeadSize..].ToArray();
        if ((uint)split > (uint)bytes.Length)
            throw new ProtocolException($"an answer of {bytes.Length} bytes is divided at {split}");
        return WorkerAnswer.Owned(succeeded, bytes, split, frame.LargeBuffers.Length == 0 ? null : Array.ConvertAll(frame.LargeBuffers, static buffer => new Memory<byte>(buffer)),
            FrameMessage.ReadRunTicks(frame));
    }

    public override void Dispose()
    {
        while (_received.TryDequeue(out Frame? frame))
            frame.Dispose();
    }
}
