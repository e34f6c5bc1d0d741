using StartMethods.Pools;

namespace StartMethods.Tests.Pools;

public class ChunkSizerTests
{
    [Test]
    public void Quick_items_make_chunks_of_about_a_millisecond_in_fourfold_steps()
    {
        var sizer = new ChunkSizer(fixedSize: 0, fixedLookAhead: 100_000, workers: 2);
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
        var sizer = new ChunkSizer(0, fixedLookAhead: 200, workers: 2);
        for (int i = 0; i < 10; i++)
            After(sizer, 1);
        Assert.That(sizer.Size, Is.EqualTo(50));
    }

    [Test]
    public void Without_a_look_ahead_asked_for_it_follows_the_chunks()
    {
        var sizer = new ChunkSizer(0, null, 2);
        Assert.That(sizer.LookAhead, Is.EqualTo(200), "nothing is known yet");
        for (int i = 0; i < 10; i++)
            sizer.Add(sizer.Size, sizer.Size, sizer.Size * 4); // ten million a second
        Assert.That((sizer.Size, sizer.LookAhead), Is.EqualTo((8192, 8192 * 8)));
    }

    [Test]
    public void Quick_items_that_are_large_do_not_fill_the_memory()
    {
        var sizer = new ChunkSizer(0, null, 2);
        for (int i = 0; i < 10; i++)
            sizer.Add(sizer.Size, sizer.Size, sizer.Size * 100_000L);
        Assert.That((sizer.Size, sizer.LookAhead), Is.EqualTo((10, 200)));
    }

    [Test]
    public void A_size_that_was_asked_for_is_kept() => Assert.That(After(new ChunkSizer(7, 200, 2), 1).Size, Is.EqualTo(7));

    private static ChunkSizer After(ChunkSizer sizer, long ticks)
    {
        sizer.Add(sizer.Size, ticks);
        return sizer;
    }
}
