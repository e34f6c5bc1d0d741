using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.ForkServers;

/// <summary>A child just forked: it leaves the server's stack with this, becomes what the application wants it to be, and opens its channel.</summary>
/// <param name="requests">The copy of the server's socket, on which only the announcement is sent.</param>
/// <param name="request">What the child was forked for.</param>
/// <param name="socket">The descriptor that came with the request; this process's own.</param>
internal sealed class ForkedLife(MessageSocket requests, ForkMessage request, FileDescriptor socket) : NextLife
{
    internal override FrameChannel Begin()
    {
        Announce();
        FileDescriptor channelSocket = request.IsSpare ? AwaitAssignment() : socket;
        FrameChannel channel = new(new SocketTransport(channelSocket));
        try
        {
            if (!channel.Receive(out Frame? frame))
                throw new PeerGoneException();
            using (frame)
                Assignment.Become(frame);
            return channel;
        }
        catch (Exception e) when (e is not PeerGoneException)
        {
            // What is wrong here (no descriptors left for those that it is given) is better read where the start was asked for than in the server's standard error.
            channel.Send(new FrameContent(FrameType.Hello, HelloMessage.Own.Encode()));
            channel.Send(PayloadFrames.Content(FrameType.Failure, FailureCodec.Encode(e)));
            throw;
        }
    }

    // The server answers too. But it may be killed before it does, and then the application would have a child of which it knows nothing.
    private void Announce()
    {
        Span<byte> message = stackalloc byte[64];
        try
        {
            int size = ServerMessages.Write(message, new AnnouncedMessage(request.Id, Native.ProcessId()));
            requests.Send(message[..size], -1, wait: true);
        }
        catch (PeerGoneException)
        {
            // The application has let go of the server, which has answered it then; or it is gone itself, and that the channel tells.
        }
        finally
        {
            // With the last copy of this socket the application knows that nobody is left who could still announce himself.
            requests.Dispose();
        }
    }

    private FileDescriptor AwaitAssignment()
    {
        Rehearsal.RunInSpare(ForkedEnvironment.Known);
        using MessageSocket control = new(socket);
        byte[] buffer = new byte[64];
        ReceivedDescriptors received = default;
        int size = control.Receive(buffer, ref received, wait: true);
        if (size == 0)
            throw new PeerGoneException();
        FileDescriptor channel = new(received.First);
        if (ServerMessages.Check(buffer.AsSpan(0, size), received.Count) == ServerMessageKind.Assigned)
            return channel;
        channel.Dispose();
        throw new ProtocolException("a spare child got something else than its channel");
    }
}
