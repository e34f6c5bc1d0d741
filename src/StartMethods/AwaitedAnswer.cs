using System.Runtime.CompilerServices;
using StartMethods.Channels;

namespace StartMethods;

/// <summary>
/// The result of a child that was forked ahead, as a task that knows when a thread blocks on it: that thread then reads the child's answer itself, which
/// spares it two wake-ups of four. The framework offers to run a task to whoever waits for it, if the task has a scheduler of its own: that is what this is.
/// </summary>
internal sealed class AwaitedAnswer : TaskScheduler
{
    private readonly ChildSession _session;

    private AwaitedAnswer(ChildSession session) => _session = session;

    /// <summary>The value of an answer, as a task.</summary>
    /// <param name="session">Whose answer it is.</param>
    /// <param name="read">Takes the value out of it, or throws; once, when it has come.</param>
    internal static Task<T> Of<T>(ChildSession session, Func<ChildAnswer, T> read)
    {
        CancellationTokenSource cancellation = new();
        Task<T> result = new(() =>
        {
            try
            {
                return read(session.Answer.Result);
            }
            catch (OperationCanceledException e)
            {
                cancellation.Cancel();
                TokenOf(e) = cancellation.Token; // else it would be a task that has failed, not one that was cancelled
                throw;
            }
        }, cancellation.Token, TaskCreationOptions.RunContinuationsAsynchronously | TaskCreationOptions.HideScheduler);
        result.Start(new AwaitedAnswer(session));
        return result;
    }

    // A plain value is read by the thread that has received it. Exceptions are rebuilt by code of their own, which runs on the pool.
    protected override void QueueTask(Task task) => _session.Answer.ContinueWith(answer =>
    {
        if (answer.Result.IsResult)
            TryExecuteTask(task);
        else
            ThreadPool.UnsafeQueueUserWorkItem(static state => state.Self.TryExecuteTask(state.Task), (Self: this, Task: task), preferLocal: false);
    }, CancellationToken.None, TaskContinuationOptions.None, CompletingThread.Scheduler);

    /// <summary>Somebody blocks until the task has completed.</summary>
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued)
    {
        _session.ReadAnswerHere();
        return _session.Answer.IsCompleted && TryExecuteTask(task);
    }

    protected override IEnumerable<Task> GetScheduledTasks() => [];

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_cancellationToken")]
    private static extern ref CancellationToken TokenOf(OperationCanceledException exception);
}
