using StartMethods.Pools;

namespace StartMethods;

public sealed partial class WorkerPool
{
    /// <summary>
    /// Applies a body to each item of a source, in the workers, and yields the results as the consumer asks for them. The source is read no further ahead than
    /// <see cref="MapOptions.LookAhead"/> says; items travel in chunks. Python: <c>Executor.map</c> and <c>Pool.imap</c>, lazily.
    /// </summary>
    /// <remarks>
    /// What a body throws is thrown at the place of its item, behind the results of the items before it; then the enumeration is over, and what waits is
    /// withdrawn. So it is where the consumer stops early; what runs then, runs to its end. A cancellation ends what runs, too.
    /// </remarks>
    /// <param name="source">Read by the consumer's thread, never by two at a time.</param>
    /// <param name="body">What to apply. Items of one chunk are worked through one after the other.</param>
    /// <param name="options">Order, look-ahead, chunks, progress; null: the defaults.</param>
    /// <param name="cancellationToken">Ends the map.</param>
    public IAsyncEnumerable<TResult> MapAsync<T, TResult>(IEnumerable<T> source, Func<T, TResult> body, MapOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(body);
        return new PoolMap<T, TResult>(_core, new EnumerableSource<T>(source), (Func<T[], TResult[]>)new FunctionChunk<T, TResult>(body).Run, false, options, cancellationToken);
    }

    /// <inheritdoc cref="MapAsync{T, TResult}(IEnumerable{T}, Func{T, TResult}, MapOptions?, CancellationToken)"/>
    public IAsyncEnumerable<TResult> MapAsync<T, TResult>(IEnumerable<T> source, Func<T, Task<TResult>> body, MapOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(body);
        return new PoolMap<T, TResult>(_core, new EnumerableSource<T>(source), (Func<T[], TResult[]>)new AsyncChunk<T, TResult>(body).Run, false, options, cancellationToken);
    }

    /// <inheritdoc cref="MapAsync{T, TResult}(IEnumerable{T}, Func{T, TResult}, MapOptions?, CancellationToken)"/>
    public IAsyncEnumerable<TResult> MapAsync<T, TResult>(IEnumerable<T> source, Func<T, CancellationToken, TResult> body, MapOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(body);
        return new PoolMap<T, TResult>(_core, new EnumerableSource<T>(source), (Func<T[], CancellationToken, TResult[]>)new CancellableFunctionChunk<T, TResult>(body).Run, true, options, cancellationToken);
    }

    /// <inheritdoc cref="MapAsync{T, TResult}(IEnumerable{T}, Func{T, TResult}, MapOptions?, CancellationToken)"/>
    public IAsyncEnumerable<TResult> MapAsync<T, TResult>(IEnumerable<T> source, Func<T, CancellationToken, Task<TResult>> body, MapOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(body);
        return new PoolMap<T, TResult>(_core, new EnumerableSource<T>(source), (Func<T[], CancellationToken, TResult[]>)new CancellableAsyncChunk<T, TResult>(body).Run, true, options, cancellationToken);
    }

    /// <inheritdoc cref="MapAsync{T, TResult}(IEnumerable{T}, Func{T, TResult}, MapOptions?, CancellationToken)"/>
    public IAsyncEnumerable<TResult> MapAsync<T, TResult>(IAsyncEnumerable<T> source, Func<T, TResult> body, MapOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(body);
        return new PoolMap<T, TResult>(_core, new AsyncSource<T>(source), (Func<T[], TResult[]>)new FunctionChunk<T, TResult>(body).Run, false, options, cancellationToken);
    }

    /// <inheritdoc cref="MapAsync{T, TResult}(IEnumerable{T}, Func{T, TResult}, MapOptions?, CancellationToken)"/>
    public IAsyncEnumerable<TResult> MapAsync<T, TResult>(IAsyncEnumerable<T> source, Func<T, Task<TResult>> body, MapOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(body);
        return new PoolMap<T, TResult>(_core, new AsyncSource<T>(source), (Func<T[], TResult[]>)new AsyncChunk<T, TResult>(body).Run, false, options, cancellationToken);
    }

    /// <inheritdoc cref="MapAsync{T, TResult}(IEnumerable{T}, Func{T, TResult}, MapOptions?, CancellationToken)"/>
    public IAsyncEnumerable<TResult> MapAsync<T, TResult>(IAsyncEnumerable<T> source, Func<T, CancellationToken, TResult> body, MapOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(body);
        return new PoolMap<T, TResult>(_core, new AsyncSource<T>(source), (Func<T[], CancellationToken, TResult[]>)new CancellableFunctionChunk<T, TResult>(body).Run, true, options, cancellationToken);
    }

    /// <inheritdoc cref="MapAsync{T, TResult}(IEnumerable{T}, Func{T, TResult}, MapOptions?, CancellationToken)"/>
    public IAsyncEnumerable<TResult> MapAsync<T, TResult>(IAsyncEnumerable<T> source, Func<T, CancellationToken, Task<TResult>> body, MapOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(body);
        return new PoolMap<T, TResult>(_core, new AsyncSource<T>(source), (Func<T[], CancellationToken, TResult[]>)new CancellableAsyncChunk<T, TResult>(body).Run, true, options, cancellationToken);
    }
}
