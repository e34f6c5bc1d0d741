using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

/// <summary>One end of a pair of sockets that keep the boundaries of messages. It has no name: whoever holds an end was given it.</summary>
internal sealed class MessageSocket(FileDescriptor socket) : IDisposable
{
    /// <summary>Returned instead of a size: nothing is there, or there is no room, and waiting was not wanted.</summary>
    internal const int WouldBlock = -1;

    private const int BrokenPipe = 32, WouldBlockError = 11, ConnectionReset = 104, MostDescriptors = 4;

    internal FileDescriptor Handle => socket;

    // Unsafe: two numbers come back through an array on the stack.
    internal static unsafe (MessageSocket, MessageSocket) CreatePair()
    {
        int* ends = stackalloc int[2];
        NativeError.ThrowIfFailed(Native.MessagePair(ends), "socketpair");
        return (new MessageSocket(new FileDescriptor(ends[0])), new MessageSocket(new FileDescriptor(ends[1])));
    }

    /// <summary>Sends one message, with at most one descriptor, which stays the caller's.</summary>
    /// <returns>False: there is no room, and <paramref name="wait"/> is false.</returns>
    /// <exception cref="PeerGoneException">Nobody will ever read it.</exception>
    /// <exception cref="StartMethodException">The kernel refused it (ETOOMANYREFS: more descriptors are on their way than this user may have).</exception>
    // Unsafe: pins the message for the call.
    internal unsafe bool Send(ReadOnlySpan<byte> bytes, int descriptor, bool wait)
    {
        fixed (byte* first = bytes)
        {
            ChannelMessage message = new()
            {
                Size = (uint)sizeof(ChannelMessage), First = first, FirstLength = (ulong)bytes.Length, Descriptors = &descriptor,
                DescriptorCount = descriptor < 0 ? 0 : 1, Flags = wait ? MessageFlags.None : MessageFlags.DontWait,
            };
            bool referenced = false;
            socket.DangerousAddRef(ref referenced);
            try
            {
                long sent = Native.ChannelSend(socket.Number, &message);
                if (sent == -WouldBlockError)
                    return false;
                if (sent is -BrokenPipe or -ConnectionReset)
                    throw new PeerGoneException();
                NativeError.ThrowIfFailed((int)sent, "sendmsg to the fork server");
                return true;
            }
            finally
            {
                socket.DangerousRelease();
            }
        }
    }

    /// <summary>Receives one message into the buffer, and the descriptors that came with it.</summary>
    /// <returns>Its size; 0 where everybody who held the other end is gone; or <see cref="WouldBlock"/>.</returns>
    // Unsafe: pins the buffer for the call.
    internal unsafe int Receive(Span<byte> buffer, ref ReceivedDescriptors descriptors, bool wait)
    {
        int* numbers = stackalloc int[MostDescriptors];
        fixed (byte* first = buffer)
        {
            ChannelMessage message = new()
            {
                Size = (uint)sizeof(ChannelMessage), First = first, FirstLength = (ulong)buffer.Length, Descriptors = numbers,
                DescriptorCount = MostDescriptors, Flags = wait ? MessageFlags.None : MessageFlags.DontWait,
            };
            bool referenced = false;
            socket.DangerousAddRef(ref referenced);
            try
            {
                long size = Native.ChannelReceive(socket.Number, &message);
                if (size == -ConnectionReset)
                {
                    // The other end was closed with messages of ours unread. It is told once, and before what was still sent from there: that comes now.
                    message.DescriptorCount = MostDescriptors;
                    size = Native.ChannelReceive(socket.Number, &message);
                }
                if (size == -WouldBlockError)
                    return WouldBlock;
                NativeError.ThrowIfFailed((int)size, "recvmsg from the fork server");
                descriptors = new ReceivedDescriptors(message.DescriptorCount, message.DescriptorCount > 0 ? numbers[0] : -1, (message.Flags & MessageFlags.Surplus) != 0);
                for (int i = 1; i < message.DescriptorCount; i++)
                    _ = Native.Close(numbers[i]);
                return (int)size;
            }
            finally
            {
                socket.DangerousRelease();
            }
        }
    }

    /// <summary>Nothing more arrives: what is there is still received, then the end, whoever else holds the other end.</summary>
    internal void End()
    {
        bool referenced = false;
        try
        {
            socket.DangerousAddRef(ref referenced);
            _ = Native.MessageEnd(socket.Number);
        }
        catch (ObjectDisposedException)
        {
        }
        finally
        {
            if (referenced)
                socket.DangerousRelease();
        }
    }

    public void Dispose() => socket.Dispose();
}

/// <summary>The descriptors that came with a message.</summary>
/// <param name="Count">How many.</param>
/// <param name="First">The first, which the receiver owns; the others, which no message has, are closed already. −1: none.</param>
/// <param name="Lost">Whether some were lost on the way: this process has too many open (RLIMIT_NOFILE).</param>
internal readonly record struct ReceivedDescriptors(int Count, int First, bool Lost);
