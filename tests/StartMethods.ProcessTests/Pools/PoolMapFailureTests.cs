namespace StartMethods.ProcessTests;

/// <summary>A map that fails.</summary>
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
}
