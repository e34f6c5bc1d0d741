using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Pools;

/// <content>
/// Handles go beside the ring, over the socket by which the worker was started. One frame for each record that has some, so that the two sides always agree: a
/// record is begun, and the worker takes what came for it, or it is taken back, and the worker is told to close it. Whichever of the two ways is faster waits for the other.
/// </content>
internal sealed partial class RingLink
{
    private readonly Lock _inbox = new();
    private Frame? _arrived; // the handles of one answer: a worker sends the next ones when this one was taken
    private bool _closed;

    /// <summary>Set once the worker was started.</summary>
    internal ChildSession? Session { get; set; }

    private void SendHandles(PoolTask task)
    {
        SentHandles handles = task.Handles!;
        handles.Retain();
        Session!.Post(new FrameContent(FrameMessage.Handles, FrameMessage.Head(task.Id, 0, false, default)) { Descriptors = handles.Descriptors, Sent = handles.Release });
    }

    private void DropHandles(PoolTask task) => Session!.Post(new FrameContent(FrameMessage.Drop, FrameMessage.Head(task.Id, 0, false, default)));

    /// <summary>Called by the thread that reads the channel. False: nothing that a worker sends.</summary>
    internal bool TryKeep(Frame frame)
    {
        lock (_inbox)
        {
            if (_closed || _arrived is not null || frame.Descriptors.Length == 0 || frame.Payload.Length != FrameMessage.HeadSize)
                return false;
            _arrived = frame;
            return true;
        }
    }

    // Null: they are still on their way.
    private Frame? TakeHandles(long taskId)
    {
        lock (_inbox)
        {
            if (_arrived is not { } frame)
                return null;
            if (FrameMessage.ReadHead(frame).TaskId != taskId)
                throw new RingCorruptException($"the handles of task {FrameMessage.ReadHead(frame).TaskId} came with the answer of task {taskId}");
            _arrived = null;
            return frame;
        }
    }

    private void CloseInbox()
    {
        lock (_inbox)
        {
            _closed = true;
            _arrived?.Dispose();
            _arrived = null;
        }
    }
}
