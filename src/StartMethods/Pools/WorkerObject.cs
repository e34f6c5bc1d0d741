using StartMethods.Pools;

namespace StartMethods;

/// <summary>
/// An object that lives in a worker process and is called from here by lambdas: <c>await counter.InvokeAsync(c => c.Add(2))</c>. Calls run one after the other.
/// The lambda and what it captures travel there, what it returns travels back; the object stays.
/// </summary>
/// <typeparam name="T">The type of the object. It need not be able to travel.</typeparam>
public sealed class WorkerObject<T> : IAsyncDisposable where T : class
{
    private readonly WorkerLease _lease;
    private readonly long _id;
    private int _disposed;

    internal WorkerObject(WorkerLease lease, long id) => (_lease, _id) = (lease, id);

    /// <summary>The id of the process in which it lives; 0 once it is gone.</summary>
    public int ProcessId => _lease.ProcessId;

    /// <summary>Calls the object and returns what the call returns.</summary>
    /// <exception cref="ChildCrashedException">The worker died during the call: the object is gone.</exception>
    /// <exception cref="StartMethodException">The worker has died before: the object is gone.</exception>
    public Task<TResult> InvokeAsync<TResult>(Func<T, TResult> call, CancellationToken cancellationToken = default) =>
        _lease.RunAsync(new ObjectCall<T, Func<T, TResult>>(_id, call).Invoke<TResult>, cancellationToken);

    /// <inheritdoc cref="InvokeAsync{TResult}(Func{T, TResult}, CancellationToken)"/>
    public Task<TResult> InvokeAsync<TResult>(Func<T, Task<TResult>> call, CancellationToken cancellationToken = default) =>
        _lease.RunAsync(new ObjectCall<T, Func<T, Task<TResult>>>(_id, call).InvokeAsync<TResult>, cancellationToken);

    /// <inheritdoc cref="InvokeAsync{TResult}(Func{T, TResult}, CancellationToken)"/>
    public Task InvokeAsync(Action<T> call, CancellationToken cancellationToken = default) =>
        _lease.RunAsync(new ObjectCall<T, Action<T>>(_id, call).Invoke, cancellationToken);

    /// <inheritdoc cref="InvokeAsync{TResult}(Func{T, TResult}, CancellationToken)"/>
    public Task InvokeAsync(Func<T, Task> call, CancellationToken cancellationToken = default) =>
        _lease.RunAsync(new ObjectCall<T, Func<T, Task>>(_id, call).InvokeAsync, cancellationToken);

    /// <summary>Disposes of the object, where it is disposable, in its worker, and gives the worker back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        try
        {
            if (_lease.IsAlive)
                await _lease.RunAsync(WorkerObjects.RemoveAsync, _id).ConfigureAwait(false);
        }
        catch (StartMethodException)
        {
            // The worker died, and the object with it: there is nothing left to dispose of.
        }
        finally
        {
            await _lease.DisposeAsync().ConfigureAwait(false);
        }
    }
}
