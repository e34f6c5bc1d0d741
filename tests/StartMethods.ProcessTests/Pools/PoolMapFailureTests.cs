namespace StartMethods.ProcessTests;

/// <summary>A map that fails.</summary>
[Category("Portable")]
public class PoolMapFailureTests : IsolatedProcessTest
{
    [Test]
    public async Task What_an_item_throws_is_thrown_at_its_place()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        List<int> seen = [];
        await Assert.ThrowsAsync<FormatException>(async () =>
        {
            await foreach (int x in pool.MapAsync(Enumerable.Range(0, 100), static x => x == 37 ? throw new FormatException("37") : x, new MapOptions { ChunkSize = 10 }, Limit))
                seen.Add(x);
        });
        Assert.That(seen, Is.EqualTo(Enumerable.Range(0, 37)));
        Assert.That(await pool.RunAsync(() => 1, Limit), Is.EqualTo(1));
    }

    // The answer of such a chunk is two payloads in one. Giving back the buffer that they share ended the worker: unseen where it was idle, "exit 0" to a task that it had.
    [Test]
    public async Task An_item_that_throws_in_the_midst_of_a_chunk_leaves_its_worker_alive()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        int before = await pool.RunAsync(static () => Environment.ProcessId, Limit);
        for (int bad = 0; bad < 20; bad++)
        {
            await Assert.ThrowsAsync<FormatException>(async () =>
            {
                await foreach (int _ in pool.MapAsync(Enumerable.Range(0, 20), x => x == bad ? throw new FormatException() : x, new MapOptions { ChunkSize = 20 }, Limit))
                {
                }
            });
        }
        Assert.That(await pool.RunAsync(static () => Environment.ProcessId, Limit), Is.EqualTo(before));
        Assert.That((pool.Statistics.WorkersStarted, pool.Statistics.WorkersCrashed), Is.EqualTo((1L, 0L)));
    }
}
