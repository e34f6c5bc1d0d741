namespace StartMethods.ProcessTests;

[Category("Portable")]
public class PoolMapTests : IsolatedProcessTest
{
    private static async Task<List<T>> Collect<T>(IAsyncEnumerable<T> source)
    {
        List<T> items = [];
        await foreach (T item in source)
            items.Add(item);
        return items;
    }

    private static async IAsyncEnumerable<int> Slowly(int count)
    {
        for (int i = 0; i < count; i++)
        {
            await Task.Delay(1);
            yield return i;
        }
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(7)]
    public async Task A_map_yields_the_results_in_the_order_of_the_source(int chunk)
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        List<int> results = await Collect(pool.MapAsync(Enumerable.Range(0, 2000), static x => x * 2, new MapOptions { ChunkSize = chunk }, Limit));
        Assert.That(results, Is.EqualTo(Enumerable.Range(0, 2000).Select(x => x * 2)));
    }

    [Test]
    public async Task An_unordered_map_yields_each_result_once()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        List<int> results = await Collect(pool.MapAsync(Enumerable.Range(0, 500), static async x => { await Task.Yield(); return x; }, new MapOptions { Ordered = false }, Limit));
        Assert.That(results.Order(), Is.EqualTo(Enumerable.Range(0, 500)));
    }

    [Test]
    public async Task An_asynchronous_source_is_mapped_as_it_comes()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        Assert.That(await Collect(pool.MapAsync(Slowly(50), static (x, token) => token.CanBeCanceled ? x : -1, null, Limit)), Is.EqualTo(Enumerable.Range(0, 50)));
    }

    [Test]
    public async Task The_source_is_read_no_further_ahead_than_asked_for()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        int read = 0, seen = 0;
        IEnumerable<int> Source()
        {
            for (int i = 0; i < 1_000_000; i++)
            {
                read++;
                yield return i;
            }
        }
        await foreach (int _ in pool.MapAsync(Source(), static x => x, new MapOptions { LookAhead = 20 }, Limit))
        {
            Assert.That(read - seen, Is.LessThanOrEqualTo(40), "what was read but not consumed");
            if (++seen == 300)
                break;
        }
        Assert.That(read, Is.LessThan(400));
    }

    [Test]
    public async Task Quick_items_travel_in_ever_larger_chunks()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        await Collect(pool.MapAsync(Enumerable.Range(0, 20_000), static x => x, new MapOptions { LookAhead = 4000 }, Limit));
        Assert.That(pool.Statistics.Submitted, Is.LessThan(2000), "tasks for 20000 items");
    }

    [Test]
    public async Task Quick_items_travel_in_large_chunks_by_default_and_in_order()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        List<int> results = await Collect(pool.MapAsync(Enumerable.Range(0, 200_000), static x => x, null, Limit));
        Assert.That(results, Is.EqualTo(Enumerable.Range(0, 200_000)));
        Assert.That(pool.Statistics.Submitted, Is.LessThan(4000), "tasks for 200000 items");
    }

    [Test]
    public async Task A_source_slower_than_the_workers_does_not_hold_results_back([Values] bool ordered)
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        var consumed = new SemaphoreSlim(0);
        async IAsyncEnumerable<int> Source()
        {
            for (int i = 0; i < 20; i++)
            {
                yield return i;
                await consumed.WaitAsync(Limit); // the next item comes when the result of this one has come
            }
        }
        int seen = 0;
        await foreach (int x in pool.MapAsync(Source(), static x => x, new MapOptions { Ordered = ordered }, Limit))
        {
            Assert.That(x, Is.EqualTo(seen++));
            consumed.Release();
        }
        Assert.That(seen, Is.EqualTo(20));
    }

    [Test]
    public async Task A_map_that_is_left_early_gives_its_workers_back([Values] bool ordered)
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, QueueLimit = 8 });
        for (int round = 0; round < 5; round++)
        {
            await foreach (int _ in pool.MapAsync(Enumerable.Range(0, 10_000), static x => x, new MapOptions { Ordered = ordered, ChunkSize = 3 }, Limit))
                break;
            await pool.DrainAsync(Limit);
        }
        Assert.That(await pool.RunAsync(static () => 1, Limit), Is.EqualTo(1));
    }

    [Test]
    public async Task Cancelling_a_map_ends_it_and_the_pool_goes_on()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2, Grace = TimeSpan.FromSeconds(1) });
        using var source = new CancellationTokenSource();
        Task<List<int>> map = Collect(pool.MapAsync(Enumerable.Range(0, 1000), static (x, token) => { token.WaitHandle.WaitOne(20); return x; }, null, source.Token));
        await Task.Delay(300, Limit);
        await source.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => map);
        Assert.That(await pool.RunAsync(() => 1, Limit), Is.EqualTo(1));
        await pool.DrainAsync(Limit);
    }

    [Test]
    public async Task Progress_counts_the_items()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        var progress = new LastProgress();
        await Collect(pool.MapAsync(Enumerable.Range(0, 300).ToList(), static x => x, new MapOptions { Progress = progress }, Limit));
        Assert.That((progress.Last.Completed, progress.Last.Submitted, progress.Last.Total), Is.EqualTo((300L, 300L, (long?)300)));
    }

    private sealed class LastProgress : IProgress<MapProgress>
    {
        internal MapProgress Last { get; private set; }

        public void Report(MapProgress value) => Last = value;
    }

    [Test]
    public async Task A_source_that_throws_ends_the_map_with_its_exception()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        static IEnumerable<int> Source()
        {
            yield return 1;
            throw new IOException("the source is gone");
        }
        await Assert.ThrowsAsync<IOException>(() => Collect(pool.MapAsync(Source(), static x => x, null, Limit)));
        await pool.DrainAsync(Limit);
    }
}
