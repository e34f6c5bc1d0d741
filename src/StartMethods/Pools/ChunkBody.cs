namespace StartMethods.Pools;

/// <summary>An item of a chunk threw: the results before it, and what it threw. Never leaves the worker.</summary>
internal sealed class ChunkFailedException(Array values, Exception inner) : Exception(inner.Message, inner)
{
    internal Array Values { get; } = values;
}

/// <summary>The body of a map, applied to several items in one task.</summary>
internal abstract class ChunkBody<T, TResult>
{
    /// <summary>Calls the body for one item.</summary>
    protected abstract TResult Call(T item, CancellationToken cancellationToken);

    internal TResult[] Run(T[] items) => Run(items, default);

    internal TResult[] Run(T[] items, CancellationToken cancellationToken)
    {
        var results = new TResult[items.Length];
        for (int i = 0; i < items.Length; i++)
        {
            try
            {
                results[i] = Call(items[i], cancellationToken);
            }
            catch (Exception e)
            {
                throw new ChunkFailedException(results[..i], e);
            }
        }
        return results;
    }
}

internal sealed class FunctionChunk<T, TResult>(Func<T, TResult> body) : ChunkBody<T, TResult>
{
    protected override TResult Call(T item, CancellationToken cancellationToken) => body(item);
}

internal sealed class CancellableFunctionChunk<T, TResult>(Func<T, CancellationToken, TResult> body) : ChunkBody<T, TResult>
{
    protected override TResult Call(T item, CancellationToken cancellationToken) => body(item, cancellationToken);
}

internal sealed class AsyncChunk<T, TResult>(Func<T, Task<TResult>> body) : ChunkBody<T, TResult>
{
    // The worker runs one task at a time: its main thread has nothing else to do meanwhile.
    protected override TResult Call(T item, CancellationToken cancellationToken) => body(item).GetAwaiter().GetResult();
}

internal sealed class CancellableAsyncChunk<T, TResult>(Func<T, CancellationToken, Task<TResult>> body) : ChunkBody<T, TResult>
{
    protected override TResult Call(T item, CancellationToken cancellationToken) => body(item, cancellationToken).GetAwaiter().GetResult();
}
