using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Pools;

/// <summary>
/// In a worker: the handles that came for tasks which it has not begun. For each record in the ring that has handles there is one frame with them, and for
/// each of those records that the application has taken back one that says so; in this order. The ring may be ahead of the channel, or behind.
/// </summary>
internal sealed class HandleInbox
{
    private readonly object _gate = new();
    private readonly Dictionary<long, Frame> _arrived = [];

    // A task that was taken back and sent here again is in the ring twice, with handles twice. If it began with the first ones, the second ones are to be closed.
    private readonly Dictionary<long, int> _owed = [];

    /// <summary>Called by the thread that reads the channel, which is not to wait. False: not a frame of handles.</summary>
    internal bool Receive(Frame frame)
    {
        if (frame.Type is not (FrameMessage.Handles or FrameMessage.Drop))
            return false;
        long id = FrameMessage.ReadHead(frame).TaskId;
        Frame? unwanted = frame;
        lock (_gate)
        {
            if (frame.Type == FrameMessage.Handles)
            {
                if (!TryPayOwed(id))
                {
                    _arrived[id] = frame;
                    unwanted = null;
                    Monitor.PulseAll(_gate);
                }
            }
            else if (!_arrived.Remove(id, out unwanted))
            {
                _owed[id] = _owed.GetValueOrDefault(id) + 1;
            }
        }
        unwanted?.Dispose();
        return true;
    }

    private bool TryPayOwed(long id)
    {
        if (!_owed.TryGetValue(id, out int owed))
            return false;
        if (owed == 1)
            _owed.Remove(id);
        else
            _owed[id] = owed - 1;
        return true;
    }

    /// <summary>The handles of a task that has begun; waits for them. They are the caller's.</summary>
    internal FileDescriptor[] Take(long id)
    {
        lock (_gate)
        {
            Frame? frame;
            while (!_arrived.Remove(id, out frame))
                Monitor.Wait(_gate);
            return frame.Descriptors;
        }
    }
}
