namespace StartMethods;

/// <summary>Which standard stream of a worker a line was written to.</summary>
public enum WorkerStream
{
    /// <summary>Standard output.</summary>
    Output,

    /// <summary>Standard error.</summary>
    Error,
}

/// <summary>A line that a worker of a pool wrote, or what else in it wrote there (a native library, a program that it started); see <see cref="WorkerPoolOptions.Output"/>.</summary>
public sealed class WorkerLine
{
    /// <summary>The name of the worker: that of its pool, and a number.</summary>
    public required string Worker { get; init; }

    /// <summary>The process of the worker. For people and logs: it may have ended.</summary>
    public required int ProcessId { get; init; }

    /// <summary>Where it was written.</summary>
    public required WorkerStream Stream { get; init; }

    /// <summary>The line without its end, read as UTF-8.</summary>
    public required string Text { get; init; }

    /// <summary>
    /// Whether the line has ended here. False for the pieces of one that is longer than 16 KiB, whose rest follows, and for what a worker had written of a line when it ended.
    /// </summary>
    public required bool IsComplete { get; init; }

    /// <summary>"pool-1-2 (4711) out: text".</summary>
    public override string ToString() => $"{Worker} ({ProcessId}) {(Stream == WorkerStream.Output ? "out" : "err")}: {Text}";
}
