using System.Runtime.CompilerServices;
using StartMethods.Channels;

namespace StartMethods;

// Every shape of a body: Action, Func<Task>, Func<T>, Func<Task<T>>; each also with an argument, and each also with a token that is cancelled in the child.
// The overloads with a token in the body have priority, so that "token => …, options" and "_ => …, token" are not taken for a body with an argument.
public partial class ChildProcess
{
    /// <summary>
    /// Runs a body in a child process and returns what it returns, or throws what it throws. Completes when the process has ended, so that nothing is left behind.
    /// </summary>
    /// <param name="body">What to run. A token parameter at its end is cancelled in the child when <paramref name="cancellationToken"/> is cancelled here.</param>
    /// <param name="cancellationToken">Ends the child: asks its body by its token if it takes one, then SIGTERM, then SIGKILL, with <see cref="ChildOptions.Grace"/> in between.</param>
    /// <exception cref="OperationCanceledException">Cancelled, or the body threw it.</exception>
    /// <exception cref="PayloadException">The body, what it captured, its argument or its result cannot travel; the message has the path.</exception>
    /// <exception cref="StartMethodException">No process could be started.</exception>
    /// <exception cref="ChildCrashedException">The child ended without an answer.</exception>
    /// <exception cref="ChildTimeoutException">It took longer than <see cref="ChildOptions.Timeout"/>.</exception>
    /// <exception cref="ChildFailedException">The body threw an exception that cannot be rebuilt here; else that very exception is thrown.</exception>
    public static Task RunAsync(Action body, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public static Task RunAsync(Func<Task> body, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public static Task<TResult> RunAsync<TResult>(Func<TResult> body, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public static Task<TResult> RunAsync<TResult>(Func<Task<TResult>> body, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task RunAsync(Action<CancellationToken> body, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task RunAsync(Func<CancellationToken, Task> body, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task<TResult> RunAsync<TResult>(Func<CancellationToken, TResult> body, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task<TResult> RunAsync<TResult>(Func<CancellationToken, Task<TResult>> body, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public static Task RunAsync<TArgument>(Action<TArgument> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body, argument), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public static Task RunAsync<TArgument>(Func<TArgument, Task> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body, argument), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public static Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, TResult> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body, argument), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    public static Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, Task<TResult>> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body, argument), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task RunAsync<TArgument>(Action<TArgument, CancellationToken> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body, argument), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task RunAsync<TArgument>(Func<TArgument, CancellationToken, Task> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunToEndAsync(ChildJob.Of(body, argument), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, CancellationToken, TResult> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body, argument), null, cancellationToken);

    /// <inheritdoc cref="RunAsync(Action, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static Task<TResult> RunAsync<TArgument, TResult>(Func<TArgument, CancellationToken, Task<TResult>> body, TArgument argument, CancellationToken cancellationToken = default) =>
        RunToEndAsync<TResult>(ChildJob.Of(body, argument), null, cancellationToken);

    private static Task RunToEndAsync(ChildJob job, ChildOptions? options, CancellationToken cancellationToken) => RunToEndAsync<object?>(job, options, cancellationToken);

    // No async method: that would go on, after each wait, on a thread of the pool, only to wake the one that blocks on its task.
    private static Task<TResult> RunToEndAsync<TResult>(ChildJob job, ChildOptions? options, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return Task.FromCanceled<TResult>(cancellationToken);
        try
        {
            return EndOf(new ChildProcess<TResult>(job.Awaited(), options), cancellationToken);
        }
        catch (Exception e)
        {
            return FailedTask.Of<TResult>(e);
        }
    }

    private static Task<TResult> EndOf<TResult>(ChildProcess<TResult> child, CancellationToken cancellationToken)
    {
        TaskCompletionSource<TResult> end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static (state, token) => ((ChildProcess)state!).CancelBy(token), child);
        Task<TResult> result = child.Result;
        // Which never fails, and comes after the answer.
        child.WaitForExitAsync(CancellationToken.None).ContinueWith(_ =>
        {
            registration.Unregister();
            result.ContinueWith(end.SetFromTask, CancellationToken.None, TaskContinuationOptions.None, CompletingThread.Scheduler);
        }, CancellationToken.None, TaskContinuationOptions.None, CompletingThread.Scheduler);
        return end.Task;
    }
}
