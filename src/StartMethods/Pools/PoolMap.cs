
namespace StartMethods.Pools;

/// <summary>
/// A map on its way. It is driven by its consumer: each MoveNextAsync first reads as much of the source as may be ahead, then waits for the next results. Nothing
/// runs in between, and nobody else reads the source.
/// </summary>
internal sealed class PoolMap<T, TResult>(
    PoolCore core, MapSource<T> source, Delegate body, bool takesToken, MapOptions? options, CancellationToken cancellationToken) : IAsyncEnumerable<TResult>
{
    private readonly MapOptions _options = options ?? MapOptions.Default;

    public IAsyncEnumerator<TResult> GetAsyncEnumerator(CancellationToken enumeration = default) => EnumerateAsync(enumeration);

    private async IAsyncEnumerator<TResult> EnumerateAsync(CancellationToken enumeration)
    {
        core.ThrowIfCopied();
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, enumeration);
        var run = new MapRun<T, TResult>(core, body, takesToken, _options, source.Total, linked.Token);
        IAsyncEnumerator<T> items = source.Read(linked.Token);
        try
        {
            while (await run.NextAsync(items).ConfigureAwait(false) is { } results)
            {
                foreach (TResult result in results)
                    yield return result;
                run.Consumed();
            }
        }
        finally
        {
            run.Abandon();
            await run.EndReadingAsync().ConfigureAwait(false);
            await items.DisposeAsync().ConfigureAwait(false);
        }
    }
}
