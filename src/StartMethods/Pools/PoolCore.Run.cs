using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <content>One call: from the body to its result.</content>
internal sealed partial class PoolCore
{
    internal Task<TResult> RunAsync<TResult>(
        Delegate body, bool hasArgument, object? argument, bool takesToken, PoolTask? lease, WorkerTaskOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(body);
        if (cancellationToken.IsCancellationRequested)
            return Task.FromCanceled<TResult>(cancellationToken);
        PoolTask task;
        try
        {
            ThrowIfCopied();
            // Here, in the caller's call: what he changes afterwards does not change the task, and what cannot travel fails before anything is used.
            task = CreateTask(body, hasArgument, argument, takesToken, lease, flow: 0, options, cancellationToken);
        }
        catch (Exception e)
        {
            return Task.FromException<TResult>(e);
        }
        return RunToResultAsync<TResult>(task, body, cancellationToken);
    }

    internal PoolTask CreateTask(
        Delegate body, bool hasArgument, object? argument, bool takesToken, PoolTask? lease, long flow, WorkerTaskOptions? options, CancellationToken cancellationToken)
    {
        options ??= WorkerTaskOptions.Default;
        EncodedPayload payload = JobCodec.Encode(body, argument, hasArgument, _options.Serializer);
        try
        {
            RingLink.ThrowIfTooLarge(payload);
            if (payload.Handles.Count > 0)
                throw new PayloadException("The body captured, or its argument is, a handle of the operating system. Handles cannot travel to a pool worker that runs already; use ChildProcess, or pass a path.");
        }
        catch
        {
            payload.Dispose();
            throw;
        }
        TimeSpan limit = options.Timeout ?? _options.TaskTimeout;
        return new PoolTask
        {
            Id = NextTaskId(), Priority = options.Priority, Flow = flow, TimeLimit = limit, Timeout = Ticks(limit), RetriesLeft = options.Retry ?? _options.RetryOnCrash,
            Cooperative = takesToken, Lease = lease, Payload = payload, Token = cancellationToken, TraceParent = PoolTelemetry.CurrentTrace(),
        };
    }

    private async Task<TResult> RunToResultAsync<TResult>(PoolTask task, Delegate body, CancellationToken cancellationToken)
    {
        using WorkerAnswer? answer = await RunToEndAsync(task, cancellationToken).ConfigureAwait(false);
        return ReadResult<TResult>(answer!, body);
    }

    /// <summary>Submits a task as soon as there is room, and awaits its end.</summary>
    internal async ValueTask<WorkerAnswer?> RunToEndAsync(PoolTask task, CancellationToken cancellationToken)
    {
        if (_room is not null)
            await EnterOrDisposeAsync(task, cancellationToken).ConfigureAwait(false);
        try
        {
            Submit(task);
            if (!cancellationToken.CanBeCanceled)
                return await task.Completion.ConfigureAwait(false);
            using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(state => Cancel((PoolTask)state!), task);
            return await task.Completion.ConfigureAwait(false);
        }
        finally
        {
            LeaveQueue();
        }
    }

    private async ValueTask EnterOrDisposeAsync(PoolTask task, CancellationToken cancellationToken)
    {
        try
        {
            await EnterQueueAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            task.Payload?.Dispose();
            throw;
        }
    }

    internal TResult ReadResult<TResult>(WorkerAnswer answer, Delegate body)
    {
        if (!answer.Succeeded)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(answer.ReadFailure());
        // What is declared counts, not what the wire says: a body without a value is read as one.
        Type declared = JobShape.For(body.GetType()).ResultType;
        return (TResult)answer.ReadResult(declared, _options.Serializer)!;
    }
}
