using System.Collections.Concurrent;

namespace StartMethods.Pools;

/// <summary>In a worker: the objects that live in it.</summary>
internal static class WorkerObjects
{
    private static readonly ConcurrentDictionary<long, object> Living = new();
    private static long s_lastId;

    internal static long Add(object value)
    {
        long id = Interlocked.Increment(ref s_lastId);
        Living[id] = value;
        return id;
    }

    internal static object Get(long id) =>
        Living.TryGetValue(id, out object? value) ? value : throw new ObjectDisposedException("WorkerObject", "The object does not live in this worker (any more).");

    internal static async Task RemoveAsync(long id)
    {
        if (!Living.TryRemove(id, out object? value))
            return;
        if (value is IAsyncDisposable asynchronous)
            await asynchronous.DisposeAsync().ConfigureAwait(false);
        else
            (value as IDisposable)?.Dispose();
    }
}

/// <summary>Runs in the worker: creates the object there.</summary>
internal sealed class ObjectFactory<T>(Func<T> factory) where T : class
{
    internal long Create() => WorkerObjects.Add(factory() ?? throw new InvalidOperationException("The factory of a worker object returned null."));
}

/// <summary>Runs in the worker: calls the object there.</summary>
internal sealed class ObjectCall<T, TCall>(long id, TCall call) where T : class where TCall : Delegate
{
    internal TResult Invoke<TResult>() => ((Func<T, TResult>)(Delegate)call)((T)WorkerObjects.Get(id));

    internal Task<TResult> InvokeAsync<TResult>() => ((Func<T, Task<TResult>>)(Delegate)call)((T)WorkerObjects.Get(id));

    internal void Invoke() => ((Action<T>)(Delegate)call)((T)WorkerObjects.Get(id));

    internal Task InvokeAsync() => ((Func<T, Task>)(Delegate)call)((T)WorkerObjects.Get(id));
}
