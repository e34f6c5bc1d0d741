namespace StartMethods.Pools;

/// <summary>
/// A task with one caller who awaits its value. The pool's thread hands the value over itself where that runs no code of the user's; so a caller who blocks
/// is woken directly, and no thread of the thread pool is needed for him. All else goes to the thread pool.
/// </summary>
internal sealed class PoolCall<TResult>(PoolCore core, Delegate body) : PoolTask
{
    // Reading one of these runs no constructor, no Add and no serializer of the user's.
    private static readonly bool IsPlain = typeof(TResult).IsPrimitive || typeof(TResult) == typeof(string);

    // The continuations are the callers' code: they never run on the pool's thread.
    private readonly TaskCompletionSource<TResult> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenRegistration _registration;

    internal Task<TResult> Result => _result.Task;

    /// <summary>Registered first and submitted then: a task that has ended finds its registration, and a cancellation in between is not lost.</summary>
    internal void SubmitTo(PoolCore pool, CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
            _registration = cancellationToken.UnsafeRegister(static call => ((PoolCall<TResult>)call!).Cancel(), this);
        pool.Submit(this);
    }

    private void Cancel() => core.Cancel(this);

    internal override void SetAnswer(WorkerAnswer? answer)
    {
        Leave();
        if (answer!.IsEmpty || (IsPlain && answer.Succeeded && core.Options.Serializer is null))
            Finish(answer);
        else
            ThreadPool.UnsafeQueueUserWorkItem(static item => item.Call.Finish(item.Answer), (Call: this, Answer: answer), preferLocal: false);
    }

    internal override void SetException(Exception error)
    {
        Leave();
        _result.TrySetFromTask(FailedTask.Of<TResult>(error));
    }

    private void Finish(WorkerAnswer answer)
    {
        using (answer)
        {
            try
            {
                _result.TrySetResult(core.ReadResult<TResult>(answer, body));
            }
            catch (Exception e)
            {
                _result.TrySetFromTask(FailedTask.Of<TResult>(e));
            }
        }
    }

    private void Leave()
    {
        _registration.Unregister(); // never Dispose: that would wait for a callback that waits for the pool's lock
        core.LeaveQueue();
    }
}
