using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Forking;

/// <summary>What one fork is asked to do.</summary>
internal readonly record struct ForkRequest
{
    /// <summary>The usual.</summary>
    public ForkRequest()
    {
    }

    /// <summary>How long to look for a moment at which every thread can be parked, before failing with the culprit named.</summary>
    internal TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How much of that to spend on waiting for a moment at which no thread is busy, so that nothing has to be repaired in the child; none where the last fork has waited in vain.</summary>
    internal TimeSpan QuietTime { get; init; } = TimeSpan.FromMilliseconds(1);

    internal ForkFlags Flags { get; init; }

    /// <summary>Descriptors of sockets that the child keeps; all others are dead ends there.</summary>
    internal IReadOnlyList<SafeHandle> KeptSockets { get; init; } = [];

    /// <summary>What becomes of single threads, where it is not what the flags say.</summary>
    internal ThreadPolicy[] Threads { get; init; } = [];

    /// <summary>Where the kernel notes the child's id, before the child runs and before any signal can end this process; 0: nowhere.</summary>
    internal nint Birth { get; init; }

    /// <summary>Only pretends, and returns as in a child: so that what a child does first is compiled and bound in the process that forks it.</summary>
    internal bool IsRehearsal { get; init; }
}
