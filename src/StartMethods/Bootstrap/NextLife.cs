using StartMethods.Channels;

namespace StartMethods.Bootstrap;

/// <summary>
/// What the body of a fork server returns in a child that was forked while it ran: the child leaves the server's stack with it, and only then becomes what it is
/// to be, so that nothing of the server's is below the user's code.
/// </summary>
internal abstract class NextLife
{
    /// <summary>Makes the process its own, waiting if it is not needed yet, opens its channel and says Hello.</summary>
    /// <exception cref="PeerGoneException">It will not be needed any more.</exception>
    internal abstract FrameChannel Begin();

    /// <summary>Takes what is still to be said when the job is here, which nothing has looked into yet.</summary>
    /// <exception cref="PeerGoneException">It will not be needed after all.</exception>
    internal virtual void Complete(FrameChannel channel) { }
}
