using System.Diagnostics.Tracing;

namespace StartMethods;

/// <summary>An <see cref="EventSource"/> in the workers of a pool whose events come back to the application; see <see cref="WorkerPoolOptions.EventSources"/>.</summary>
/// <param name="Name">The name of the source: "My-Company-App", "Microsoft-Extensions-Logging", "System.Net.Http".</param>
/// <param name="Level">The most verbose level that is wanted.</param>
/// <param name="Keywords">The groups of events that are wanted. Of "Microsoft-Extensions-Logging" take <c>(EventKeywords)4</c>: one event with its text for each log line.</param>
public sealed record WorkerEventSource(string Name, EventLevel Level = EventLevel.Informational, EventKeywords Keywords = EventKeywords.All);

/// <summary>An event of an <see cref="EventSource"/> in a worker of a pool; see <see cref="WorkerPoolOptions.Events"/>.</summary>
public sealed class WorkerEvent
{
    /// <summary>The name of the worker: that of its pool, and a number.</summary>
    public required string Worker { get; init; }

    /// <summary>The process of the worker. For people and logs: it may have ended.</summary>
    public required int ProcessId { get; init; }

    /// <summary>The managed id of the thread in the worker that wrote it.</summary>
    public required int ThreadId { get; init; }

    /// <summary>The name of the event source.</summary>
    public required string Source { get; init; }

    /// <summary>The name of the event.</summary>
    public required string Name { get; init; }

    /// <summary>The number of the event.</summary>
    public required int Id { get; init; }

    /// <summary>How severe it is.</summary>
    public required EventLevel Level { get; init; }

    /// <summary>The groups that it belongs to.</summary>
    public required EventKeywords Keywords { get; init; }

    /// <summary>When it was written, UTC.</summary>
    public required DateTime Time { get; init; }

    /// <summary>The text of the event with its values in it; where it has none, its values by name.</summary>
    public required string Message { get; init; }

    /// <summary>Its values, in the order of the event, as invariant text. Texts of one event beyond 32 Ki characters together are cut off; from the 65th on they are left out.</summary>
    public required IReadOnlyList<KeyValuePair<string, string?>> Values { get; init; }

    /// <summary>"pool-1-2 (4711) My-Company-App/Started: text".</summary>
    public override string ToString() => $"{Worker} ({ProcessId}) {Source}/{Name}: {Message}";
}
