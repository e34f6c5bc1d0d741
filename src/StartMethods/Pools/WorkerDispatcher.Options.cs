using System.Runtime.CompilerServices;

namespace StartMethods;

public abstract partial class WorkerDispatcher
{
    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    /// <param name="body">What to run.</param>
    /// <param name="options">Priority, time limit and retries; null: those of the pool.</param>
    /// <param name="cancellationToken">Withdraws or ends the task.</param>
    public Task RunAsync(Action body, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, false, null, false, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    public Task RunAsync(Func<Task> body, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, false, null, false, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    public Task<TResult> RunAsync<TResult>(Func<TResult> body, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, false, null, false, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    public Task<TResult> RunAsync<TResult>(Func<Task<TResult>> body, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, false, null, false, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task RunAsync(Action<CancellationToken> body, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, false, null, true, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task RunAsync(Func<CancellationToken, Task> body, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, false, null, true, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task<TResult> RunAsync<TResult>(Func<CancellationToken, TResult> body, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, false, null, true, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task<TResult> RunAsync<TResult>(Func<CancellationToken, Task<TResult>> body, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, false, null, true, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    public Task RunAsync<TArgument>(Action<TArgument> body, TArgument argument, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, true, argument, false, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    public Task RunAsync<TArgument>(Func<TArgument, Task> body, TArgument argument, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, true, argument, false, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    public Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, TResult> body, TArgument argument, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, true, argument, false, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    public Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, Task<TResult>> body, TArgument argument, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, true, argument, false, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task RunAsync<TArgument>(Action<TArgument, CancellationToken> body, TArgument argument, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, true, argument, true, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task RunAsync<TArgument>(Func<TArgument, CancellationToken, Task> body, TArgument argument, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<object?>(body, true, argument, true, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, CancellationToken, TResult> body, TArgument argument, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, true, argument, true, options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, WorkerTaskOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, CancellationToken, Task<TResult>> body, TArgument argument, WorkerTaskOptions? options, CancellationToken cancellationToken = default) =>
        RunCore<TResult>(body, true, argument, true, options, cancellationToken);
}
