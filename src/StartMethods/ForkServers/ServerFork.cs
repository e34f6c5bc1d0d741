using System.Runtime.InteropServices;
using StartMethods.Forking;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

/// <summary>One fork of the server, by the fork engine: the same in every field, where forking fails too.</summary>
/// <param name="IsChild">Whether this is the child.</param>
/// <param name="ProcessId">The child's, in the server.</param>
/// <param name="Pidfd">The child's, which the server owns.</param>
/// <param name="ErrorNumber">Why there is no child; 0 where there is one.</param>
/// <param name="Reason">The same in words.</param>
internal readonly record struct ServerFork(bool IsChild, int ProcessId, FileDescriptor? Pidfd, int ErrorNumber, string Reason)
{
    private const int NotSupported = 95;

    /// <summary>Why there are no fork servers on this system; what this runtime can is found out by the first server.</summary>
    internal static string? UnavailableReason => ForkEngine.SurroundingsReason;

    /// <summary>Forks. Returns twice.</summary>
    /// <param name="asSibling">Whether the child becomes one of the server's parent: the application's own.</param>
    /// <param name="isRehearsal">Forks nothing, and returns as in the child.</param>
    /// <param name="holds">Whether the server's threads may stay parked until the next fork, or <see cref="Native.ForkHoldUntil"/>.</param>
    /// <param name="isDormant">Whether the child's threads may sleep on for a moment: it will probably have ended by then.</param>
    /// <param name="birth">Where the kernel notes the child's id, or 0.</param>
    /// <param name="kept">The sockets that it keeps; all others are dead ends in it.</param>
    internal static ServerFork Now(bool asSibling, bool isRehearsal, bool holds, bool isDormant, nint birth, FileDescriptor[] kept)
    {
        try
        {
            ForkOutcome outcome = ForkEngine.Fork(new ForkRequest
            {
                // All threads live on: in a server there are only the runtime's and what the preload left on purpose.
                Flags = ForkFlags.ReviveAll | ForkFlags.NoWait | (asSibling ? ForkFlags.CloneParent : ForkFlags.None) | (LeftThreads.None ? ForkFlags.NoLocks : ForkFlags.None)
                    | (isDormant && LeftThreads.None ? ForkFlags.Dormant : ForkFlags.None) | (holds && LeftThreads.None ? ForkFlags.Hold : ForkFlags.None),
                KeptSockets = kept,
                Birth = birth,
                IsRehearsal = isRehearsal,
            });
            return new ServerFork(outcome.IsChild, outcome.ProcessId, outcome.Pidfd, 0, "");
        }
        catch (StartMethodException e)
        {
            return new ServerFork(false, 0, null, e.ErrorNumber, e.Message);
        }
        catch (StartMethodNotSupportedException e)
        {
            return new ServerFork(false, 0, null, NotSupported, e.Message);
        }
    }
}
