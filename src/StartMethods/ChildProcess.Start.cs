using System.Runtime.CompilerServices;

namespace StartMethods;

public partial class ChildProcess
{
    /// <summary>Starts a child that runs a body, and returns as soon as its process runs. Dispose of it to end it.</summary>
    /// <param name="body">What to run. A token parameter at its end is cancelled by <see cref="Cancel"/>, by disposing, and when this process is gone.</param>
    /// <param name="options">How; null: the defaults.</param>
    /// <exception cref="PayloadException">The body, what it captured or its argument cannot travel; the message has the path. Nothing was started.</exception>
    /// <exception cref="StartMethodException">No process could be started.</exception>
    /// <exception cref="StartMethodNotSupportedException">The start method does not work here.</exception>
    public static ChildProcess Start(Action body, ChildOptions? options = null) => new(ChildJob.Of(body), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    public static ChildProcess Start(Func<Task> body, ChildOptions? options = null) => new(ChildJob.Of(body), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    public static ChildProcess<TResult> Start<TResult>(Func<TResult> body, ChildOptions? options = null) => new(ChildJob.Of(body), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    public static ChildProcess<TResult> Start<TResult>(Func<Task<TResult>> body, ChildOptions? options = null) => new(ChildJob.Of(body), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    [OverloadResolutionPriority(1)]
    public static ChildProcess Start(Action<CancellationToken> body, ChildOptions? options = null) => new(ChildJob.Of(body), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    [OverloadResolutionPriority(1)]
    public static ChildProcess Start(Func<CancellationToken, Task> body, ChildOptions? options = null) => new(ChildJob.Of(body), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    [OverloadResolutionPriority(1)]
    public static ChildProcess<TResult> Start<TResult>(Func<CancellationToken, TResult> body, ChildOptions? options = null) => new(ChildJob.Of(body), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    [OverloadResolutionPriority(1)]
    public static ChildProcess<TResult> Start<TResult>(Func<CancellationToken, Task<TResult>> body, ChildOptions? options = null) => new(ChildJob.Of(body), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    public static ChildProcess Start<TArgument>(Action<TArgument> body, TArgument argument, ChildOptions? options = null) => new(ChildJob.Of(body, argument), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    public static ChildProcess Start<TArgument>(Func<TArgument, Task> body, TArgument argument, ChildOptions? options = null) => new(ChildJob.Of(body, argument), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    public static ChildProcess<TResult> Start<TArgument, TResult>(Func<TArgument, TResult> body, TArgument argument, ChildOptions? options = null) => new(ChildJob.Of(body, argument), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    public static ChildProcess<TResult> Start<TArgument, TResult>(Func<TArgument, Task<TResult>> body, TArgument argument, ChildOptions? options = null) => new(ChildJob.Of(body, argument), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    [OverloadResolutionPriority(1)]
    public static ChildProcess Start<TArgument>(Action<TArgument, CancellationToken> body, TArgument argument, ChildOptions? options = null) => new(ChildJob.Of(body, argument), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    [OverloadResolutionPriority(1)]
    public static ChildProcess Start<TArgument>(Func<TArgument, CancellationToken, Task> body, TArgument argument, ChildOptions? options = null) => new(ChildJob.Of(body, argument), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    [OverloadResolutionPriority(1)]
    public static ChildProcess<TResult> Start<TArgument, TResult>(Func<TArgument, CancellationToken, TResult> body, TArgument argument, ChildOptions? options = null) => new(ChildJob.Of(body, argument), options);

    /// <inheritdoc cref="Start(Action, ChildOptions?)"/>
    [OverloadResolutionPriority(1)]
    public static ChildProcess<TResult> Start<TArgument, TResult>(Func<TArgument, CancellationToken, Task<TResult>> body, TArgument argument, ChildOptions? options = null) => new(ChildJob.Of(body, argument), options);
}
