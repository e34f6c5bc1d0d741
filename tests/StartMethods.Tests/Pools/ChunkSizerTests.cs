using StartMethods.Pools;

namespace StartMethods.Tests.Pools;

public class ChunkSizerTests
{
    [Test]
    public void Quick_items_make_chunks_of_about_a_millisecond_in_fourfold_steps()
    {
        var sizer = new ChunkSizer(fixedSize: 0, lookAhead: 100_000, workers: 2);
        List<int> sizes = [sizer.Size];
        for (int i = 0; i < 8; i++)
        {
            sizer.Add(sizer.Size, sizer.Size * 10); // a microsecond each
            sizes.Add(sizer.Size);
        }
        Assert.That(sizes[..6], Is.EqualTo(new[] { 1, 4, 16, 64, 256, 1000 }));
    }

    [Test]
    public void Long_items_go_one_by_one() => Assert.That(After(new ChunkSizer(0, 200, 2), TimeSpan.TicksPerSecond).Size, Is.EqualTo(1));

    [Test]
    public void Each_worker_has_a_chunk_to_run_and_one_to_go_on_with()
    {
        var sizer = new ChunkSizer(0, lookAhead: 200, workers: 2);
        for (int i = 0; i < 10; i++)
            After(sizer, 1);
        Assert.That(sizer.Size, Is.EqualTo(50));
    }

    [Test]
    public void A_size_that_was_asked_for_is_kept() => Assert.That(After(new ChunkSizer(7, 200, 2), 1).Size, Is.EqualTo(7));

    private static ChunkSizer After(ChunkSizer sizer, long ticks)
    {
        sizer.Add(sizer.Size, ticks);
        return sizer;
    }
}
