using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>One end of an inherited socketpair.</summary>
internal sealed class SocketTransport(FileDescriptor socket) : Transport
{
    private const int BrokenPipe = 32, WouldBlockError = 11, ConnectionReset = 104;

    internal override bool IsSocket => true;

    internal override SafeHandle Handle => socket;

    // Unsafe: pins the parts of the message for the call.
    internal override unsafe int Send(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<int> descriptors, bool wait)
    {
        fixed (byte* firstPart = first, secondPart = second)
        fixed (int* numbers = descriptors)
        {
            ChannelMessage message = new()
            {
                Size = (uint)sizeof(ChannelMessage), First = firstPart, FirstLength = (ulong)first.Length, Second = secondPart, SecondLength = (ulong)second.Length,
                Descriptors = numbers, DescriptorCount = descriptors.Length, Flags = wait ? MessageFlags.None : MessageFlags.DontWait,
            };
            bool referenced = false;
            socket.DangerousAddRef(ref referenced);
            try
            {
                return Result(Native.ChannelSend(socket.Number, &message), "sendmsg to the other side of the channel");
            }
            finally
            {
                socket.DangerousRelease();
            }
        }
    }

    internal override unsafe int Receive(Span<byte> buffer, List<FileDescriptor>? descriptors, bool wait)
    {
        int* numbers = stackalloc int[descriptors is null ? 1 : Native.MaxDescriptors];
        fixed (byte* target = buffer)
        {
            ChannelMessage message = new()
            {
                Size = (uint)sizeof(ChannelMessage), First = target, FirstLength = (ulong)buffer.Length, Descriptors = numbers,
                DescriptorCount = descriptors is null ? 0 : Native.MaxDescriptors, Flags = wait ? MessageFlags.WaitAll : MessageFlags.DontWait,
            };
            long result;
            bool referenced = false;
            socket.DangerousAddRef(ref referenced);
            try
            {
                result = Native.ChannelReceive(socket.Number, &message);
            }
            finally
            {
                socket.DangerousRelease();
            }
            for (int i = 0; descriptors is not null && result >= 0 && i < message.DescriptorCount; i++)
                descriptors.Add(new FileDescriptor(numbers[i]));
            if ((message.Flags & MessageFlags.Surplus) != 0)
                throw new ProtocolException("descriptors arrived where none may, or the limit of open files (ulimit -n) left no room for them; they are closed");
            // A peer that died with unread data leaves ECONNRESET: the same end as a closed stream.
            return result == -ConnectionReset ? 0 : Result(result, "recvmsg from the other side of the channel");
        }
    }

    internal override bool Await(int microseconds)
    {
        bool referenced = false;
        socket.DangerousAddRef(ref referenced);
        try
        {
            return Native.ChannelAwait(socket.Number, microseconds) != 0;
        }
        finally
        {
            socket.DangerousRelease();
        }
    }

    internal override void Shutdown() => _ = Native.ChannelShutdown(socket.Number);

    private static int Result(long result, string operation) => result switch
    {
        >= 0 => (int)result,
        -WouldBlockError => WouldBlock,
        -BrokenPipe or -ConnectionReset => throw new PeerGoneException(),
        _ => NativeError.ThrowIfFailed((int)result, operation),
    };

    public override void Dispose() => socket.Dispose();
}
