namespace StartMethods;

/// <summary>What is special about one task of a <see cref="WorkerPool"/>.</summary>
public sealed class WorkerTaskOptions
{
    internal static readonly WorkerTaskOptions Default = new();

    /// <summary>Tasks with a higher number run first; default: 0. A task that already waits inside a worker is not overtaken there: that is well below a millisecond of work.</summary>
    public int Priority { get; init; }

    /// <summary>How long it may run, from its start in a worker; null: <see cref="WorkerPoolOptions.TaskTimeout"/>; <see cref="System.Threading.Timeout.InfiniteTimeSpan"/>: as long as it likes.</summary>
    public TimeSpan? Timeout
    {
        get;
        init
        {
            if (value is { } limit)
                WorkerPoolOptions.ThrowIfNoLimit(limit, nameof(Timeout));
            field = value;
        }
    }

    /// <summary>How often it is run again when its worker dies; null: <see cref="WorkerPoolOptions.RetryOnCrash"/>.</summary>
    public int? Retry
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value ?? 0, nameof(Retry));
            field = value;
        }
    }
}
