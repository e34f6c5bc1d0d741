namespace StartMethods.Pools;

/// <content>What the callers are told when there is no answer.</content>
internal sealed partial class PoolCore
{
    private Exception ErrorOf(PoolTask task) => task.End switch
    {
        TaskEnd.Cancelled => new OperationCanceledException(
            task.Token.IsCancellationRequested ? $"A task of the pool '{Name}' was cancelled." : $"The pool '{Name}' was disposed before this task ended.", task.Token),
        TaskEnd.TimedOut => new ChildTimeoutException(
            $"A task of the pool '{Name}' ran longer than its limit ({task.TimeLimit}). It was ended. The limit is WorkerPoolOptions.TaskTimeout or WorkerTaskOptions.Timeout.") { Limit = task.TimeLimit },
        TaskEnd.Crashed => Crashed(task),
        TaskEnd.Rejected => new ObjectDisposedException(nameof(WorkerPool), $"The pool '{Name}' is disposed."),
        TaskEnd.Broken => Broken(task),
        _ => new StartMethodException($"A task of the pool '{Name}' ended as {task.End} without an answer."),
    };

    // One exception per task: an exception object that several callers throw collects the stack traces of all.
    private ChildCrashedException Crashed(PoolTask task)
    {
        if (task.Crash is not { } crash)
            return new ChildCrashedException($"A worker of the pool '{Name}' died while it ran this task.") { Stage = ChildStage.Running };
        string tries = task.Crashes > 1 ? $" It was tried {task.Crashes} times." : "";
        string told = crash.StandardError.Length == 0 ? "" : $"\nThe last lines of its standard error:\n{crash.StandardError}";
        string because = crash.Cause is null ? "" : $" {crash.Cause.Message}.";
        string memory = crash.Status.SignalNumber == 9 ? " (SIGKILL that nobody sent may be the kernel's, for lack of memory)" : "";
        return new ChildCrashedException($"Worker '{crash.Worker}' (process {crash.ProcessId}) of the pool '{Name}' died while it ran this task: {crash.Status}{memory}.{because}{tries}{told}", crash.Cause)
        {
            ExitStatus = crash.Status, ProcessId = crash.ProcessId, Stage = ChildStage.Running, StandardError = crash.StandardError,
        };
    }

    private StartMethodException Broken(PoolTask task)
    {
        if (task.Lease is { } lease)
        {
            string how = ((PoolTask)lease).Crash is { } crash ? $"its worker '{crash.Worker}' (process {crash.ProcessId}) died: {crash.Status}" : "it was returned or its worker is being ended";
            return new StartMethodException($"The lease of a worker of the pool '{Name}' is over: {how}. The state that it kept is gone; rent another one.");
        }
        return _initializerFailed
            ? new StartMethodException($"The pool '{Name}' runs no task, since its initializer fails: {_startError?.Message}", _startError)
            : new StartMethodException($"The pool '{Name}' cannot start workers, {_table.Slots.Count} were tried and it pauses before the next attempt. The last error: {_startError?.Message}", _startError);
    }
}

/// <summary>How the worker of a task ended.</summary>
internal sealed record WorkerCrash(string Worker, int ProcessId, ExitStatus Status, string StandardError, Exception? Cause);
