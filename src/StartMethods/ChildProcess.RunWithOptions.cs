using System.Runtime.CompilerServices;

namespace StartMethods;

public partial class ChildProcess
{
    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    /// <param name="body">What to run. A token parameter at its end is cancelled in the child when <paramref name="cancellationToken"/> is cancelled here.</param>
    /// <param name="options">How; null: the defaults.</param>
    /// <param name="cancellationToken">Ends the child.</param>
    public static Task RunAsync(Action body, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    public static Task RunAsync(Func<Task> body, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    public static Task<TResult> RunAsync<TResult>(Func<TResult> body, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    public static Task<TResult> RunAsync<TResult>(Func<Task<TResult>> body, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task RunAsync(Action<CancellationToken> body, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task RunAsync(Func<CancellationToken, Task> body, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task<TResult> RunAsync<TResult>(Func<CancellationToken, TResult> body, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task<TResult> RunAsync<TResult>(Func<CancellationToken, Task<TResult>> body, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    public static Task RunAsync<TArgument>(Action<TArgument> body, TArgument argument, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body, argument), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    public static Task RunAsync<TArgument>(Func<TArgument, Task> body, TArgument argument, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body, argument), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    public static Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, TResult> body, TArgument argument, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body, argument), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    public static Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, Task<TResult>> body, TArgument argument, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body, argument), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task RunAsync<TArgument>(Action<TArgument, CancellationToken> body, TArgument argument, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body, argument), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task RunAsync<TArgument>(Func<TArgument, CancellationToken, Task> body, TArgument argument, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body, argument), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, CancellationToken, TResult> body, TArgument argument, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body, argument), options, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, ChildOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, CancellationToken, Task<TResult>> body, TArgument argument, ChildOptions? options, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body, argument), options, cancellationToken);
}
