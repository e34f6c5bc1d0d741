namespace StartMethods.Pools;

/// <summary>The numbers that <see cref="WorkerTable"/> decides by. Times are ticks of 100 ns.</summary>
internal sealed record WorkerTableOptions
{
    internal required int Workers { get; init; }
    internal int MinWorkers { get; init; }

    /// <summary>0 = never recycled by count.</summary>
    internal int MaxTasksPerWorker { get; init; }

    /// <summary>0 = never recycled by memory.</summary>
    internal long MaxWorkerMemory { get; init; }

    /// <summary>0 = idle workers stay.</summary>
    internal long IdleTimeout { get; init; }

    internal long Grace { get; init; } = 2 * TimeSpan.TicksPerSecond;

    /// <summary>How many tasks a worker may hold; 1 = no pipelining (a channel that cannot take a task back).</summary>
    internal int MaxWindow { get; init; } = 64;

    /// <summary>A window holds about this much work: enough to hide the way there and back, little enough to keep priorities meaningful.</summary>
    internal long WindowWork { get; init; } = TimeSpan.TicksPerMillisecond / 5;

    /// <summary>A task that runs longer than this loses the tasks waiting behind it to an idle worker.</summary>
    internal long StealAfter { get; init; } = TimeSpan.TicksPerMillisecond;

    /// <summary>So many starts in a row that fail open the breaker.</summary>
    internal int BreakerFailures { get; init; } = 5;

    /// <summary>How long the breaker stays open.</summary>
    internal long BreakerPause { get; init; } = 5 * TimeSpan.TicksPerSecond;
}
