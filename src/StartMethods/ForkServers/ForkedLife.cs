using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.ForkServers;

/// <summary>A child just forked: it leaves the server's stack with this, becomes what the application wants it to be, and opens its channel.</summary>
/// <param name="request">What the child was forked for.</param>
/// <param name="socket">The child's end of its channel, which came with the request; this process's own.</param>
/// <param name="isRehearsal">Whether this is the server, or a spare child, that goes through a child's life for practice.</param>
internal sealed class ForkedLife(ForkMessage request, FileDescriptor socket, bool isRehearsal) : NextLife
{
    internal override FrameChannel Begin()
    {
        if (request.IsSpare && !isRehearsal)
            Rehearsal.RunInSpare(ForkedEnvironment.Known);
        FrameChannel channel = new(new SocketTransport(socket));
        bool hasGreeted = false;
        try
        {
            Become(channel);
            Greet(channel);
            hasGreeted = true;
            return channel;
        }
        catch (Exception e) when (e is not PeerGoneException)
        {
            // What is wrong here (no descriptors left for those that it is given) is better read where the start was asked for than in the server's standard error.
            if (!hasGreeted)
                Greet(channel);
            channel.Send(PayloadFrames.Content(FrameType.Failure, FailureCodec.Encode(e)));
            throw;
        }
    }

    // The job wakes the child up, and meanwhile the application has looked whether anything has changed: that is said last, and soon.
    internal override void Complete(FrameChannel channel)
    {
        if (!request.IsSpare)
            return;
        channel.Await(SoonMicroseconds);
        Become(channel);
    }

    private const int SoonMicroseconds = 100;

    // A spare child does it twice: ahead, and when it is known what it will be; then the frame is empty if nothing else is wanted.
    private static void Become(FrameChannel channel)
    {
        if (!channel.Receive(out Frame? frame))
            throw new PeerGoneException();
        using (frame)
            Assignment.Become(frame);
    }

    private static void Greet(FrameChannel channel) => channel.Send(new FrameContent(FrameType.Hello, HelloMessage.Own.Encode()));
}
