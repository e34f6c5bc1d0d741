using StartMethods.Pools;

namespace StartMethods;

/// <summary>
/// A worker of a pool that its holder has to himself. What runs by it runs in one process, one after the other, so that state in static variables stays between
/// the calls. If the worker dies, the call that ran fails with <see cref="ChildCrashedException"/>, and every later one with <see cref="StartMethodException"/>.
/// </summary>
public sealed class WorkerLease : WorkerDispatcher, IAsyncDisposable
{
    private readonly PoolCore _core;
    private readonly PoolTask _lease;
    private int _disposed;

    internal WorkerLease(PoolCore core, PoolTask lease) => (_core, _lease) = (core, lease);

    /// <summary>The id of the worker's process; 0 once the lease is over.</summary>
    public int ProcessId => _core.ProcessIdOf(_lease);

    /// <summary>Whether the worker is there and takes calls.</summary>
    public bool IsAlive => ProcessId != 0;

    /// <summary>Let the worker end with the lease, instead of giving it back with what the calls have left in it; default: false.</summary>
    public bool DestroyOnDispose { get; set; }

    /// <summary>Gives the worker back, or ends it where <see cref="DestroyOnDispose"/> says so. A call that still runs is cancelled. May be repeated.</summary>
    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _core.EndLease(_lease, DestroyOnDispose);
        return default;
    }

    private protected override Task<TResult> RunCore<TResult>(Delegate body, bool hasArgument, object? argument, bool takesToken, WorkerTaskOptions? options, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);
        return _core.RunAsync<TResult>(body, hasArgument, argument, takesToken, _lease, options, cancellationToken);
    }
}
