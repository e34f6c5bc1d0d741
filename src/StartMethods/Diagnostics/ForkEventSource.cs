using System.Diagnostics.Tracing;

namespace StartMethods.Diagnostics;

/// <summary>EventSource "StartMethods": what happens around forks, for dotnet-trace and listeners in the process.</summary>
[EventSource(Name = "StartMethods")]
internal sealed class ForkEventSource : EventSource
{
    internal static readonly ForkEventSource Log = new();

    /// <summary>A fork that is not safe goes on, because the policy is to warn.</summary>
    [Event(1, Level = EventLevel.Warning, Message = "Unsafe fork at {0}: {1}")]
    internal void UnsafeFork(string callSite, string reason) => WriteEvent(1, callSite, reason);

    /// <summary>A hook of AtFork threw after the fork.</summary>
    [Event(2, Level = EventLevel.Error, Message = "An {0} hook of AtFork threw: {1}")]
    internal void HookFailed(string hook, string error) => WriteEvent(2, hook, error);

    [Event(3, Level = EventLevel.Informational, Message = "Forked process {0}: {1} threads, parked for {2} µs, owner repair of {3} locks")]
    internal void Forked(int processId, int threads, long parkedMicroseconds, int owners) => WriteEvent(3, processId, threads, parkedMicroseconds, owners);
}
