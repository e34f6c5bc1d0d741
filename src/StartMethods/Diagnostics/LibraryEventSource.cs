using System.Diagnostics.Tracing;

namespace StartMethods.Diagnostics;

/// <summary>EventSource "StartMethods": what happens around forks and in pools, for dotnet-trace and listeners in the process.</summary>
[EventSource(Name = "StartMethods")]
internal sealed class LibraryEventSource : EventSource
{
    internal static readonly LibraryEventSource Log = new();

    /// <summary>A fork that is not safe goes on, because the policy is to warn.</summary>
    [Event(1, Level = EventLevel.Warning, Message = "Unsafe fork at {0}: {1}")]
    internal void UnsafeFork(string callSite, string reason) => WriteEvent(1, callSite, reason);

    /// <summary>A hook of AtFork threw after the fork.</summary>
    [Event(2, Level = EventLevel.Error, Message = "An {0} hook of AtFork threw: {1}")]
    internal void HookFailed(string hook, string error) => WriteEvent(2, hook, error);

    [Event(3, Level = EventLevel.Informational, Message = "Forked process {0}: {1} threads, parked for {2} µs, owner repair of {3} locks")]
    internal void Forked(int processId, int threads, long parkedMicroseconds, int owners) => WriteEvent(3, processId, threads, parkedMicroseconds, owners);

    /// <summary>A child was sent ahead of this process's first fork, to see whether forked children are whole.</summary>
    /// <param name="wrong">What is wrong with them; empty where nothing is.</param>
    /// <param name="microseconds">How long it took.</param>
    [Event(4, Level = EventLevel.Informational, Message = "Fork canary: '{0}' after {1} µs")]
    internal void CanaryEnded(string wrong, long microseconds) => WriteEvent(4, wrong, microseconds);

    /// <summary>A callback of the library's own thread threw: a bug of the library.</summary>
    [Event(5, Level = EventLevel.Error, Message = "A callback of the reactor threw: {0}")]
    internal void CallbackFailed(string error) => WriteEvent(5, error);

    [Event(10, Level = EventLevel.Informational, Message = "Pool {0} started worker {1} (process {2})")]
    internal void WorkerStarted(string pool, string worker, int processId) => WriteEvent(10, pool, worker, processId);

    [Event(11, Level = EventLevel.Warning, Message = "Pool {0}: worker {1} (process {2}) ended: {3}")]
    internal void WorkerEnded(string pool, string worker, int processId, string status) => WriteEvent(11, pool, worker, processId, status);

    [Event(12, Level = EventLevel.Informational, Message = "Pool {0} replaces the worker in process {1}, which uses {2} bytes")]
    internal void WorkerRecycled(string pool, int processId, long bytes) => WriteEvent(12, pool, processId, bytes);

    [Event(13, Level = EventLevel.Error, Message = "Pool {0} could not start a worker: {1}")]
    internal void WorkerNotStarted(string pool, string error) => WriteEvent(13, pool, error);

    /// <summary>An event of a worker, told again here.</summary>
    [Event(14, Level = EventLevel.LogAlways, Message = "Pool {0}: worker {1} (process {2}): {3}/{4}: {5}")]
    internal void WorkerEvent(string pool, string worker, int processId, string source, string name, string text) => WriteEvent(14, pool, worker, processId, source, name, text);

    [Event(15, Level = EventLevel.Warning, Message = "Pool {0} drops output of its workers: the handler that takes it has not returned for a second")]
    internal void OutputLost(string pool) => WriteEvent(15, pool);

    [Event(16, Level = EventLevel.Error, Message = "The handler that takes the output of the workers of pool {0} threw: {1}")]
    internal void HandlerFailed(string pool, string error) => WriteEvent(16, pool, error);
}
