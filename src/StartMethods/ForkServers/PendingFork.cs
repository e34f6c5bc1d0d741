using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkServers;

/// <summary>A request that is on its way. What it comes to is heard on the reactor's thread.</summary>
internal sealed class PendingFork(Action<RequestOutcome> completed)
{
    /// <summary>Nobody waits for it any more: the child that may still come is ended.</summary>
    internal bool IsAbandoned { get; set; }

    internal void Born(int processId, FileDescriptor? pidfd)
    {
        try
        {
            ProcessLifetime child = ProcessLifetime.OfChild(processId, pidfd);
            if (IsAbandoned)
                child.Signal(SignalNumber.Kill);
            else
                completed(RequestOutcome.Born(child));
        }
        catch (StartMethodException e)
        {
            completed(RequestOutcome.Refused(e.ErrorNumber, $"the child cannot be watched, and was ended: {e.Message}")); // OfChild has seen to that
        }
    }

    internal void Refused(int errorNumber, string reason) => completed(RequestOutcome.Refused(errorNumber, reason));

    /// <summary>The server is dead.</summary>
    /// <param name="child">Whom it has forked for this request without having said so; 0: nobody.</param>
    /// <param name="how">How it died.</param>
    internal void Lost(int child, string how)
    {
        if (child > 0)
            Born(child, null);
        else
            completed(RequestOutcome.Lost(how));
    }
}
