using StartMethods.ForkServers;

namespace StartMethods;

// A newer image in place of the old one, without a start being lost: the old server goes on until the new one is ready, and ends when its last answer is given.
public sealed partial class ForkServer
{
    /// <summary>Replaces the server by a fresh one with the same preload, which runs again: what it reads may have changed.</summary>
    /// <exception cref="StartMethodException">The new server could not be started. The old one stays.</exception>
    public Task RefreshAsync(CancellationToken cancellationToken = default) => RefreshAsync(plan => plan, cancellationToken);

    /// <summary>Replaces the server by one with another preload. Starts meanwhile go to the old one; children of both live side by side.</summary>
    /// <param name="preload">Runs in the new server instead of what ran in the old one.</param>
    /// <param name="cancellationToken">Gives up waiting for the new server, which is ended; the old one stays.</param>
    /// <exception cref="StartMethodException">The new server could not be started. The old one stays.</exception>
    /// <exception cref="ChildFailedException">The preload threw an exception that cannot be rebuilt here; else that very exception is thrown. The old server stays.</exception>
    public Task RefreshAsync(Action preload, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(preload);
        return RefreshAsync(plan => plan with { Preload = preload, PreloadAsync = null }, cancellationToken);
    }

    /// <inheritdoc cref="RefreshAsync(Action, CancellationToken)"/>
    public Task RefreshAsync(Func<Task> preload, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(preload);
        return RefreshAsync(plan => plan with { Preload = null, PreloadAsync = preload }, cancellationToken);
    }

    private async Task RefreshAsync(Func<ServerPlan, ServerPlan> change, CancellationToken cancellationToken)
    {
        ThrowIfUnusable();
        if (RuntimeVerdict.Reason is not null)
            return; // children are started by exec: there is nothing to refresh
        ServerState state = State;
        ServerPlan plan;
        ServerConnection server;
        lock (state.Gate)
        {
            ObjectDisposedException.ThrowIf(_disposed || state.IsEnded, this);
            plan = change(state.Plan);
            server = ServerConnection.Start(plan with { TestsRuntime = !RuntimeVerdict.IsKnown }, connection => Died(state, connection));
            if (!server.Gone.IsCompleted)
                state.Add(server);
        }
        try
        {
            await server.Ready.WaitAsync(_startTimeout, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            server.Close();
            await ServerState.EndAsync(server).ConfigureAwait(false);
            if (e is OperationCanceledException)
                throw;
            throw new ChildTimeoutException($"{server.Name} was not ready after ForkServerOptions.StartTimeout ({_startTimeout}) and was killed") { Limit = _startTimeout };
        }
        Replace(state, plan, server);
        OrderSpares();
    }

    private void Replace(ServerState state, ServerPlan plan, ServerConnection server)
    {
        if (Judge(state, server, server.Ready.Result) is null)
            return;
        ServerConnection? old;
        IEnumerable<ChildAhead> waiting;
        lock (state.Gate)
        {
            (old, state.Current, state.Plan, state.PreloadFailure) = (state.Current, server, plan, null);
            waiting = state.RenewWaiting();
        }
        foreach (ChildAhead child in waiting)
            child.Close();
        old?.Close();
    }
}
