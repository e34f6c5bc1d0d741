namespace StartMethods;

/// <summary>How a <see cref="WorkerPool"/> works. Read once, when the pool is created.</summary>
public sealed class WorkerPoolOptions
{
    /// <summary>The most worker processes at a time; default: <see cref="Environment.ProcessorCount"/>, which knows affinity and cgroup limits.</summary>
    public int Workers { get; set; } = Environment.ProcessorCount;

    /// <summary>The fewest worker processes: so many are started at once and stay when idle; default: 0, workers are started when tasks wait.</summary>
    public int MinWorkers { get; set; }

    /// <summary>How workers are started; null: <see cref="StartMethod.Default"/>.</summary>
    public StartMethod? Method { get; set; }

    /// <summary>
    /// Runs once in each new worker before its first task. If it throws, every task fails with that error: a worker would never get further.
    /// Python: <c>initializer</c> of <c>ProcessPoolExecutor</c>.
    /// </summary>
    public Action? Initializer { get; set; }

    /// <summary>As <see cref="Initializer"/>, for asynchronous code; runs behind it where both are set.</summary>
    public Func<Task>? InitializerAsync { get; set; }

    /// <summary>A worker is replaced after so many tasks (a chunk of a map is one task); null: never. Python: <c>max_tasks_per_child</c>.</summary>
    public int? MaxTasksPerWorker { get; set; }

    /// <summary>A worker is replaced, between two tasks, when its resident memory exceeds so many bytes; null: never.</summary>
    public long? MaxWorkerMemory { get; set; }

    /// <summary>How long a task may run, from its start in a worker; <see cref="Timeout.InfiniteTimeSpan"/> (default): as long as it likes.</summary>
    public TimeSpan TaskTimeout { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>Workers above <see cref="MinWorkers"/> leave after being idle for so long; <see cref="Timeout.InfiniteTimeSpan"/> (default): never.</summary>
    public TimeSpan IdleTimeout { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>
    /// How often a task is run again when the worker that ran it died; default: 0. Only for tasks that may be run twice: the first run may have had
    /// effects. A task that a dead worker had not begun is given to another one in any case.
    /// </summary>
    public int RetryOnCrash { get; set; }

    /// <summary>How many tasks may wait or run; RunAsync waits while there are as many. Null (default): no limit.</summary>
    public int? QueueLimit { get; set; }

    /// <summary>
    /// Patience when work is to be ended, by a cancellation, a time limit or <see cref="WorkerPool.DisposeAsync"/>: the body's token is cancelled; after half
    /// of this time the worker gets SIGTERM, after all of it SIGKILL. A body without a token gets SIGTERM at once. Default: 2 seconds.
    /// </summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>A name for people: in errors, statistics and the names of the workers; null: "pool-1", "pool-2" …</summary>
    public string? Name { get; set; }

    /// <summary>Takes over how values of some types travel; null: the library's own form for all.</summary>
    public IPayloadSerializer? Serializer { get; set; }

    /// <summary>The most bytes that the result of one task may have on its way; default: 1 GiB. A larger one fails that task, and the worker goes on.</summary>
    public long MaxResultBytes { get; set; } = 1L << 30;

    /// <summary>
    /// How long a thread of the pool may look for an answer before it sleeps; default: 50 µs. It looks only while the other side runs on another
    /// processor, and for a shorter time the less that pays. Zero: never.
    /// </summary>
    public TimeSpan MaxSpin { get; set; } = TimeSpan.FromMicroseconds(50);

    /// <summary>
    /// Takes what workers write to their standard output and standard error, line by line, as it comes; each line says whose it is. Null (default): both go
    /// where those of this process go.
    /// </summary>
    /// <remarks>
    /// Called by one thread of the pool, one line at a time, in the order of each stream. The last lines of a worker that dies come too, and
    /// all of them before <see cref="WorkerPool.DisposeAsync"/> completes. A handler that is slow makes the workers wait, as a slow terminal does, and 512 Ki characters wait at most. One that has not
    /// returned for a second does not: what does not fit is dropped and counted (<see cref="PoolStatistics.OutputLost"/>), so that a handler may wait for tasks of
    /// its own pool. What a handler throws becomes an event of the event source "StartMethods".
    /// </remarks>
    public Action<WorkerLine>? Output { get; set; }

    /// <summary>
    /// The event sources in the workers whose events come back; default: none. "Microsoft-Extensions-Logging" brings the lines of every <c>ILogger</c> there
    /// whose factory has <c>AddEventSourceLogger()</c>. Events go to <see cref="Events"/>, and to whoever listens to the event source "StartMethods" here.
    /// </summary>
    public IList<WorkerEventSource> EventSources { get; } = [];

    /// <summary>Takes the events of <see cref="EventSources"/>. Called as <see cref="Output"/>; but workers never wait for it: what does not fit is dropped and counted.</summary>
    public Action<WorkerEvent>? Events { get; set; }

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Workers, 1, nameof(Workers));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Workers, MaxWorkers, nameof(Workers));
        ArgumentOutOfRangeException.ThrowIfNegative(MinWorkers, nameof(MinWorkers));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MinWorkers, Workers, nameof(MinWorkers));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxTasksPerWorker ?? 1, 1, nameof(MaxTasksPerWorker));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxWorkerMemory ?? 1, 1, nameof(MaxWorkerMemory));
        ArgumentOutOfRangeException.ThrowIfLessThan(QueueLimit ?? 1, 1, nameof(QueueLimit));
        ArgumentOutOfRangeException.ThrowIfNegative(RetryOnCrash, nameof(RetryOnCrash));
        ArgumentOutOfRangeException.ThrowIfLessThan(Grace, TimeSpan.Zero, nameof(Grace));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxSpin, TimeSpan.Zero, nameof(MaxSpin));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxResultBytes, 1, nameof(MaxResultBytes));
        ThrowIfNoLimit(TaskTimeout, nameof(TaskTimeout));
        ThrowIfNoLimit(IdleTimeout, nameof(IdleTimeout));
    }

    internal const int MaxWorkers = 4096;

    internal static void ThrowIfNoLimit(TimeSpan value, string name)
    {
        if (value <= TimeSpan.Zero && value != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(name, value, "must be positive, or Timeout.InfiniteTimeSpan for no limit");
    }
}
