using System.Runtime.CompilerServices;

namespace StartMethods;

// Every shape of a body: Action, Func<Task>, Func<T>, Func<Task<T>>; each also with an argument, and each also with a token that is cancelled in the worker.
// The overloads with a token in the body have priority, so that "_ => …, token" is not taken for a body with an argument.

/// <summary>What runs functions in worker processes: a <see cref="WorkerPool"/> in any of its workers, a <see cref="WorkerLease"/> in the one that it has.</summary>
public abstract partial class WorkerDispatcher
{
    private protected WorkerDispatcher() { }

    private protected abstract Task<TResult> RunCore<TResult>(Delegate body, bool hasArgument, object? argument, bool takesToken, WorkerTaskOptions? options, CancellationToken cancellationToken);

    /// <summary>
    /// Runs a body in a worker and returns what it returns, or throws what it throws. What the body captured and the argument are read before this returns.
    /// </summary>
    /// <param name="body">What to run. A token parameter at its end is cancelled in the worker when <paramref name="cancellationToken"/> is cancelled here.</param>
    /// <param name="cancellationToken">
    /// Withdraws a task that waits at once. One that runs is asked to end by its token, if it takes one; then its worker is terminated, then killed, and replaced.
    /// </param>
    /// <exception cref="OperationCanceledException">Cancelled, the pool was disposed before the task ended, or the body threw it.</exception>
    /// <exception cref="PayloadException">The body, what it captured, its argument or its result cannot travel; the message has the path. No worker was used.</exception>
    /// <exception cref="ChildCrashedException">The worker died while it ran the task. Python: <c>BrokenProcessPool</c>, for this one task only.</exception>
    /// <exception cref="ChildTimeoutException">It ran longer than its limit.</exception>
    /// <exception cref="ChildFailedException">The body threw an exception that cannot be rebuilt here; else that very exception is thrown.</exception>
    /// <exception cref="StartMethodException">No worker can be started; the message has the last error.</exception>
    /// <exception cref="ObjectDisposedException">The pool or the lease is disposed.</exception>
    public Task RunAsync(Action body, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, false, null, false, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public Task RunAsync(Func<Task> body, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, false, null, false, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public Task<TResult> RunAsync<TResult>(Func<TResult> body, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, false, null, false, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public Task<TResult> RunAsync<TResult>(Func<Task<TResult>> body, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, false, null, false, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task RunAsync(Action<CancellationToken> body, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, false, null, true, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task RunAsync(Func<CancellationToken, Task> body, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, false, null, true, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task<TResult> RunAsync<TResult>(Func<CancellationToken, TResult> body, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, false, null, true, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task<TResult> RunAsync<TResult>(Func<CancellationToken, Task<TResult>> body, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, false, null, true, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public Task RunAsync<TArgument>(Action<TArgument> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, true, argument, false, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public Task RunAsync<TArgument>(Func<TArgument, Task> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, true, argument, false, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, TResult> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, true, argument, false, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, Task<TResult>> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, true, argument, false, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task RunAsync<TArgument>(Action<TArgument, CancellationToken> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, true, argument, true, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task RunAsync<TArgument>(Func<TArgument, CancellationToken, Task> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, true, argument, true, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, CancellationToken, TResult> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, true, argument, true, null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, CancellationToken, Task<TResult>> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, true, argument, true, null, cancellationToken);
}
