using StartMethods.ForkServers;
using StartMethods.Interop;

namespace StartMethods;

/// <summary>
/// A warm process of this application from which children are forked: as safe as <see cref="StartMethod.Spawn"/>, whatever the threads of this process are doing, and
/// many times faster. It is started with the first child (or by <see cref="StartAsync"/>), replaced when it dies, and ends with this process.
/// </summary>
/// <remarks>
/// <para>Python: the start method "forkserver" of <c>multiprocessing</c>. Unlike there, children are this process's own: their exit status, signals and resource usage are
/// exact, and they live on when the server dies. Linux only.</para>
/// <para>Each child gets the environment, working directory, umask, resource limits and standard descriptors of the moment of its start. Settings of the runtime are those of
/// the server: workstation, non-concurrent garbage collection; no diagnostics port. Members may be used from several threads.</para>
/// </remarks>
public sealed partial class ForkServer : StartMethod, IAsyncDisposable
{
    private static int s_lastNumber;
    private readonly bool _isShared;
    private readonly int _spareChildren;
    private readonly bool _forksAhead;
    private readonly TimeSpan _startTimeout;
    private readonly ServerPlan _firstPlan;
    private ServerState? _state;
    private volatile bool _disposed;

    /// <summary>A fork server of one's own. Its process starts with the first child.</summary>
    /// <param name="options">Null: the defaults.</param>
    public ForkServer(ForkServerOptions? options = null)
        : this(options ?? new ForkServerOptions(), options?.Name ?? $"forkserver-{Interlocked.Increment(ref s_lastNumber)}", isShared: false)
    {
    }

    private ForkServer(ForkServerOptions options, string name, bool isShared)
    {
        (_spareChildren, _startTimeout, _isShared) = (options.SpareChildren, options.StartTimeout > LongestWait ? Timeout.InfiniteTimeSpan : options.StartTimeout, isShared);
        _forksAhead = options.ForksAhead && _spareChildren == 0;
        _firstPlan = new ServerPlan(name, options.Preload, options.PreloadAsync, [.. options.PreloadAssemblies.Select(assembly => assembly.FullName!)], options.TieredCompilation, options.HugePages, TestsRuntime: false);
    }

    internal static ForkServer CreateShared() => new(new ForkServerOptions(), "forkserver", isShared: true);

    /// <inheritdoc/>
    public override string Name => "forkserver";

    /// <summary>
    /// Why children are not forked here, in one sentence; null where they are. Where the system is right but this runtime did not survive the fork of a test child, they are started
    /// by exec instead, behind the same API, without what the preload left.
    /// </summary>
    public override string? UnsupportedReason => SystemReason ?? RuntimeVerdict.Reason;

    /// <summary>The process id of the server; null while none runs.</summary>
    public int? ServerProcessId => State.Current is { IsAlive: true } current ? current.ProcessId : null;

    /// <summary>
    /// A server could not be used as it should: threads left behind by its preload, or a runtime that cannot be forked. Raised on a thread of the pool; where nobody
    /// listens, the text goes to standard error.
    /// </summary>
    public event EventHandler<ForkServerWarningEventArgs>? Warning;

    /// <summary>Starts the server now, so that the first child need not wait for it; where it runs, completes at once.</summary>
    /// <exception cref="StartMethodException">It could not be started.</exception>
    /// <exception cref="ChildFailedException">The preload threw an exception that cannot be rebuilt here; else that very exception is thrown.</exception>
    public Task StartAsync(CancellationToken cancellationToken = default) => Task.Run(() =>
    {
        ThrowIfUnusable();
        _ = Ready(_startTimeout);
        OrderSpares();
    }, cancellationToken).WaitAsync(cancellationToken);

    /// <summary>
    /// Ends the server and the spare children, and waits until they are gone. Children that were started live on. Where it is <see cref="StartMethod.ForkServer"/>,
    /// which is everybody's, the next start begins with a new server.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        _disposed = !_isShared;
        ServerState? state = Interlocked.Exchange(ref _state, null);
        if (state is not null && state.ProcessId == Environment.ProcessId)
            await state.EndAsync().ConfigureAwait(false);
    }

    /// <summary>"forkserver", or the name of a server of one's own.</summary>
    public override string ToString() => _firstPlan.Name;

    /// <summary>Children by exec are better than none: only a system that has no fork servers at all refuses.</summary>
    internal override void ThrowIfUnsupported()
    {
        if (SystemReason is { } reason)
            throw new StartMethodNotSupportedException($"The start method '{Name}' does not work here: {reason}");
    }

    private static string? SystemReason => ServerFork.UnavailableReason;

    private void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ThrowIfUnsupported();
    }

    // A forked copy of this process has no business with the server of its parent: it gets one of its own when it needs it.
    private ServerState State
    {
        get
        {
            while (true)
            {
                ServerState? state = Volatile.Read(ref _state);
                if (state is not null && state.ProcessId == Environment.ProcessId)
                    return state;
                ServerState fresh = new(_firstPlan, _spareChildren);
                if (Interlocked.CompareExchange(ref _state, fresh, state) == state)
                    return fresh;
            }
        }
    }

    private void Warn(string message)
    {
        if (Warning is { } listeners)
            ThreadPool.UnsafeQueueUserWorkItem(_ => listeners(this, new ForkServerWarningEventArgs(message)), null);
        else
            Bootstrap.OrderlyExit.WriteError($"StartMethods: {message}");
    }
}
