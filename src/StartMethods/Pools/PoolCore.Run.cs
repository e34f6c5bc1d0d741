using StartMethods.Interop;
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
        var call = new PoolCall<TResult>(this, body);
        try
        {
            ThrowIfCopied();
            // Here, in the caller's call: what he changes afterwards does not change the task, and what cannot travel fails before anything is used.
            Fill(call, body, hasArgument, argument, takesToken, lease, flow: 0, options, cancellationToken);
        }
        catch (Exception e)
        {
            return Task.FromException<TResult>(e);
        }
        if (_room is not null && !_room.Wait(0, CancellationToken.None))
            return RunLaterAsync(call, cancellationToken);
        call.SubmitTo(this, cancellationToken);
        return call.Result;
    }

    private async Task<TResult> RunLaterAsync<TResult>(PoolCall<TResult> call, CancellationToken cancellationToken)
    {
        await EnterOrDisposeAsync(call, cancellationToken).ConfigureAwait(false);
        call.SubmitTo(this, cancellationToken);
        return await call.Result.ConfigureAwait(false);
    }

    /// <summary>Makes a task of a body; its payload is encoded now.</summary>
    /// <exception cref="PayloadException">Something cannot travel.</exception>
    internal void Fill(
        PoolTask task, Delegate body, bool hasArgument, object? argument, bool takesToken, PoolTask? lease, long flow, WorkerTaskOptions? options, CancellationToken cancellationToken)
    {
        options ??= WorkerTaskOptions.Default;
        EncodedPayload payload = JobCodec.Encode(body, argument, hasArgument, _options.Serializer);
        try
        {
            RingLink.ThrowIfTooLarge(payload);
            task.Handles = payload.Handles.Count == 0 ? null : HandlesOf(payload);
        }
        catch
        {
            payload.Dispose();
            throw;
        }
        task.Id = NextTaskId();
        task.Priority = options.Priority;
        task.Flow = flow;
        task.TimeLimit = options.Timeout ?? _options.TaskTimeout;
        task.Timeout = Ticks(task.TimeLimit);
        task.RetriesLeft = options.Retry ?? _options.RetryOnCrash;
        task.Cooperative = takesToken;
        task.Lease = lease;
        task.Payload = payload;
        task.Token = cancellationToken;
        task.TraceParent = PoolTelemetry.CurrentTrace();
    }

    private SentHandles HandlesOf(EncodedPayload payload)
    {
        if (!_usesRings)
            throw new PayloadException($"The body captured, or its argument is, a handle of the operating system. Handles cannot travel without the native library ({Native.UnavailableReason}); pass a path.");
        if (payload.Handles.Count > Native.MaxDescriptors)
            throw new PayloadException($"A task has {payload.Handles.Count} handles of the operating system; the system carries {Native.MaxDescriptors} at a time. Send them with several tasks.");
        return new SentHandles(payload.Handles);
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
            task.Discard();
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
