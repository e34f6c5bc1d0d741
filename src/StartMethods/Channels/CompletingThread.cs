namespace StartMethods.Channels;

/// <summary>
/// Runs a continuation on the thread that completes its task, even where the task keeps others off that thread. For continuations of the library itself,
/// which are short and must not wait for a thread of a pool that the application may have exhausted.
/// </summary>
internal sealed class CompletingThread : TaskScheduler
{
    internal static readonly CompletingThread Scheduler = new();

    protected override void QueueTask(Task task) => TryExecuteTask(task);

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks() => [];
}
