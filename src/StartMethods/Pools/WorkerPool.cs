using StartMethods.Payloads;
using StartMethods.Pools;

namespace StartMethods;

/// <summary>
/// Worker processes that run functions: as many at a time as there are workers, the others wait. A worker that dies fails only the task that it ran, and is
/// replaced. Counterpart of Python's <c>ProcessPoolExecutor</c> and <c>multiprocessing.Pool</c>.
/// </summary>
/// <remarks>
/// All members may be called from any thread. Dispose of a pool with <see cref="DisposeAsync"/>; should the application end without, however that happens,
/// its workers end too. Works on every platform; the fast connection to the workers (shared memory) on Linux.
/// Sockets, files and pipes travel there too, with arguments and results: those that a body gets are closed when its task has ended, unless it runs in a lease.
/// </remarks>
public sealed partial class WorkerPool : WorkerDispatcher, IAsyncDisposable
{
    private static int s_number;
    private readonly PoolCore _core;

    /// <summary>Creates a pool with one worker for each processor.</summary>
    public WorkerPool() : this(null) { }

    /// <summary>Creates a pool. Workers are started when tasks come, or at once where <see cref="WorkerPoolOptions.MinWorkers"/> asks for it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option has an impossible value.</exception>
    /// <exception cref="StartMethodNotSupportedException">The start method does not work here.</exception>
    public WorkerPool(WorkerPoolOptions? options)
    {
        options ??= new WorkerPoolOptions();
        options.Validate();
        (options.Method ?? StartMethod.Default).ThrowIfUnsupported();
        _core = new PoolCore(options, options.Name ?? $"pool-{Interlocked.Increment(ref s_number)}");
    }

    /// <summary>The name that it was given, or "pool-1" and so on.</summary>
    public string Name => _core.Name;

    /// <summary>What it is doing and has done.</summary>
    public PoolStatistics Statistics => _core.Statistics();

    /// <summary>
    /// Changes the most workers that there may be. More are started as they are needed; those that are too many finish what they run, give back what waits in
    /// them, and leave. Completes at once.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public Task ResizeAsync(int workers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(workers, WorkerPoolOptions.MaxWorkers);
        _core.ThrowIfCopied();
        _core.Resize(workers);
        return Task.CompletedTask;
    }

    /// <summary>Completes when nothing waits and nothing runs: every task that was submitted so far, and those that come meanwhile, have ended. The pool stays usable.</summary>
    /// <exception cref="OperationCanceledException">The wait was cancelled; the tasks are not touched.</exception>
    public Task DrainAsync(CancellationToken cancellationToken = default)
    {
        _core.ThrowIfCopied();
        return _core.DrainAsync().WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Takes a worker for oneself: what is run by the lease runs there, one after the other, and what it leaves in static variables stays. Waits until one is
    /// free; other tasks go to the other workers. Dispose of the lease to give it back.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled, or the pool was disposed.</exception>
    /// <exception cref="StartMethodException">No worker can be started.</exception>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    public async Task<WorkerLease> RentAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _core.ThrowIfCopied();
        var lease = new PoolTask { Id = _core.NextTaskId(), IsLease = true, Token = cancellationToken };
        await _core.RunToEndAsync(lease, cancellationToken).ConfigureAwait(false);
        return new WorkerLease(_core, lease);
    }

    /// <summary>
    /// Creates an object that lives in a worker, which it has for itself: <c>factory</c> runs there, and so do all calls. Neither the factory's result nor what it
    /// refers to ever travels.
    /// </summary>
    /// <exception cref="StartMethodException">No worker can be started.</exception>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    public async Task<WorkerObject<T>> CreateObjectAsync<T>(Func<T> factory, CancellationToken cancellationToken = default) where T : class
    {
        ArgumentNullException.ThrowIfNull(factory);
        WorkerLease lease = await RentAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            long id = await lease.RunAsync(new ObjectFactory<T>(factory).Create, cancellationToken).ConfigureAwait(false);
            return new WorkerObject<T>(lease, id);
        }
        catch
        {
            await lease.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Ends the pool. Tasks that wait are cancelled; those that run are asked to end, where they listen, and may finish within
    /// <see cref="WorkerPoolOptions.Grace"/>; then their workers are ended. Completes when every task has ended and no process is left. May be repeated.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        _core.ThrowIfCopied();
        await _core.DisposeAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    /// <summary>Its name and statistics.</summary>
    public override string ToString() => $"pool '{Name}': {Statistics}";

    private protected override Task<TResult> RunCore<TResult>(Delegate body, bool hasArgument, object? argument, bool takesToken, WorkerTaskOptions? options, CancellationToken cancellationToken) =>
        _core.RunAsync<TResult>(body, hasArgument, argument, takesToken, lease: null, options, cancellationToken);
}
