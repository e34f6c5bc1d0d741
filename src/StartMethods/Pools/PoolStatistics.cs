namespace StartMethods;

/// <summary>What a <see cref="WorkerPool"/> is doing and has done; one consistent moment. A chunk of a map counts as one task.</summary>
public sealed record PoolStatistics
{
    /// <summary>Worker processes that exist, starting and leaving ones included.</summary>
    public required int Workers { get; init; }

    /// <summary>Workers that are ready and have nothing to do.</summary>
    public required int Idle { get; init; }

    /// <summary>Tasks that wait for a worker, those that wait inside one included.</summary>
    public required int Queued { get; init; }

    /// <summary>Tasks that run.</summary>
    public required int Running { get; init; }

    /// <summary>Tasks that were ever submitted: <see cref="Succeeded"/> + <see cref="Failed"/> + <see cref="Cancelled"/> + those that have not ended.</summary>
    public required long Submitted { get; init; }

    /// <summary>Tasks that returned.</summary>
    public required long Succeeded { get; init; }

    /// <summary>Tasks that threw, lost their worker, or exceeded their time limit.</summary>
    public required long Failed { get; init; }

    /// <summary>Tasks that were cancelled by their callers or by the disposal of the pool.</summary>
    public required long Cancelled { get; init; }

    /// <summary>Worker processes that were ever started.</summary>
    public required long WorkersStarted { get; init; }

    /// <summary>Worker processes that ended though nobody had asked them to.</summary>
    public required long WorkersCrashed { get; init; }

    /// <summary>Lines and events of workers that were dropped, because a handler did not take them; see <see cref="WorkerPoolOptions.Output"/>.</summary>
    public required long OutputLost { get; init; }

    /// <summary>What a log line would say.</summary>
    public override string ToString() =>
        $"{Workers} workers ({Idle} idle, {WorkersStarted} started, {WorkersCrashed} crashed), {Running} running, {Queued} queued, "
        + $"{Submitted} submitted: {Succeeded} succeeded, {Failed} failed, {Cancelled} cancelled";
}
