using StartMethods.Interop;

namespace StartMethods.Forking;

/// <summary>What a fork returns, twice: once in the parent, once in the child.</summary>
internal readonly struct ForkOutcome
{
    /// <summary>Whether this is the child.</summary>
    internal bool IsChild => ProcessId == 0;

    /// <summary>Whether there is no child, since <see cref="ForkFlags.OnlySafe"/> was not true.</summary>
    internal bool NeedsLook => ProcessId < 0;

    /// <summary>The child's process id, in the parent; 0 in the child.</summary>
    internal int ProcessId { get; init; }

    /// <summary>The child's pidfd, in the parent, which owns it; null in the child.</summary>
    internal FileDescriptor? Pidfd { get; init; }

    internal ForkMeasures Measures { get; init; }
}

/// <summary>What one fork did and took.</summary>
internal readonly record struct ForkMeasures(
    int Tries, TimeSpan Capture, TimeSpan Cloning, TimeSpan Revival, TimeSpan Parked, int Threads, int Revived, int Frozen, int Owners, bool WasSearched)
{
    internal static ForkMeasures From(in NativeForkResult result) => new(
        result.Tries, Nanoseconds(result.CaptureNanoseconds), Nanoseconds(result.ForkNanoseconds), Nanoseconds(result.ChildNanoseconds),
        Nanoseconds(result.ParkedNanoseconds), (int)result.Threads, (int)result.Revived, (int)result.Frozen, (int)result.Owners, result.Searched != 0);

    private static TimeSpan Nanoseconds(ulong nanoseconds) => TimeSpan.FromTicks((long)(nanoseconds / TimeSpan.NanosecondsPerTick));
}
