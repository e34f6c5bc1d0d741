using System.Buffers.Binary;
using System.Text;
using StartMethods.Channels;

namespace StartMethods.Pools;

/// <summary>
/// What pool and worker say to each other over the channel by which the worker was started: everything where they share no memory, else what the rings cannot carry.
/// </summary>
internal static class FrameMessage
{
    internal const FrameType Task = FrameType.User, Ask = FrameType.User + 1, Stop = FrameType.User + 2, Ready = FrameType.User + 3,
        InitializerFailed = FrameType.User + 4, Result = FrameType.User + 5, Failure = FrameType.User + 6, Begun = FrameType.User + 7, Event = FrameType.User + 8,
        Handles = FrameType.User + 9, Drop = FrameType.User + 10;

    /// <summary>In front of each payload: task, number (a split, or bytes of trace), flags, how long it took.</summary>
    internal const int HeadSize = 20;

    internal static byte[] Head(long taskId, int number, bool flag, ReadOnlySpan<byte> payload, string? tail = null, uint runTicks = 0)
    {
        byte[] bytes = new byte[HeadSize + payload.Length + (tail?.Length ?? 0)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, taskId);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), number);
        bytes[12] = flag ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), runTicks);
        payload.CopyTo(bytes.AsSpan(HeadSize));
        if (tail is not null)
            Encoding.ASCII.GetBytes(tail, bytes.AsSpan(HeadSize + payload.Length));
        return bytes;
    }

    /// <summary>How long a task took; of a frame whose head was read.</summary>
    internal static uint ReadRunTicks(Frame frame) => BinaryPrimitives.ReadUInt32LittleEndian(frame.Payload.Span[16..]);

    /// <summary>What <see cref="Head"/> wrote.</summary>
    /// <exception cref="ProtocolException">It is too short.</exception>
    internal static (long TaskId, int Number, bool Flag) ReadHead(Frame frame)
    {
        ReadOnlySpan<byte> head = frame.Payload.Span;
        if (head.Length < HeadSize)
            throw new ProtocolException($"a message of a pool worker has {head.Length} bytes, fewer than its head");
        return (BinaryPrimitives.ReadInt64LittleEndian(head), BinaryPrimitives.ReadInt32LittleEndian(head[8..]), head[12] != 0);
    }
}
