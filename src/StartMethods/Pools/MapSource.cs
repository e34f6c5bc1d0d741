namespace StartMethods.Pools;

/// <summary>Where the items of a map come from.</summary>
internal abstract class MapSource<T>
{
    /// <summary>How many there are, where the source tells without being read.</summary>
    internal virtual long? Total => null;

    internal abstract IAsyncEnumerator<T> Read(CancellationToken cancellationToken);
}

internal sealed class EnumerableSource<T>(IEnumerable<T> source) : MapSource<T>
{
    internal override long? Total => source.TryGetNonEnumeratedCount(out int count) ? count : null;

    internal override IAsyncEnumerator<T> Read(CancellationToken cancellationToken) => new Reader(source.GetEnumerator());

    private sealed class Reader(IEnumerator<T> items) : IAsyncEnumerator<T>
    {
        public T Current => items.Current;

        public ValueTask<bool> MoveNextAsync() => new(items.MoveNext());

        public ValueTask DisposeAsync()
        {
            items.Dispose();
            return default;
        }
    }
}

internal sealed class AsyncSource<T>(IAsyncEnumerable<T> source) : MapSource<T>
{
    internal override IAsyncEnumerator<T> Read(CancellationToken cancellationToken) => source.GetAsyncEnumerator(cancellationToken);
}
