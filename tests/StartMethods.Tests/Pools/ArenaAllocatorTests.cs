using StartMethods.Pools;

namespace StartMethods.Tests.Pools;

public class ArenaAllocatorTests
{
    [Test]
    public void Pieces_never_overlap_and_the_lowest_free_place_is_used_again()
    {
        var arena = new ArenaAllocator(1 << 20);
        var live = new List<(long Offset, long Length, uint Owner)>();
        var random = new Random(3);
        for (uint owner = 1; owner < 5000; owner++)
        {
            long length = random.Next(1, 100_000);
            if (arena.TryAllocate(length, owner, out long offset))
            {
                Assert.That(live.All(l => offset + length <= l.Offset || l.Offset + l.Length <= offset) && offset + length <= 1 << 20, Is.True);
                live.Add((offset, length, owner));
            }
            if (random.Next(3) == 0)
            {
                uint tail = owner - (uint)random.Next(4);
                arena.FreeUpTo(tail);
                live.RemoveAll(l => l.Owner < tail);
            }
        }
        arena.FreeUpTo(5000);
        Assert.That((arena.TryAllocate(10, 5001, out long first), arena.TryAllocate(1 << 20, 5002, out _)), Is.EqualTo((true, false)));
        Assert.That(first, Is.Zero);
    }

    [Test]
    public void A_piece_that_does_not_fit_is_refused() => Assert.That(new ArenaAllocator(1000).TryAllocate(1001, 1, out _), Is.False);

    [Test]
    public void Positions_that_wrap_around_are_still_in_order()
    {
        var arena = new ArenaAllocator(1000);
        arena.TryAllocate(64, uint.MaxValue - 8, out _);
        arena.TryAllocate(64, 16, out _);
        arena.FreeUpTo(8);
        Assert.That((arena.IsEmpty, arena.TryAllocate(64, 24, out long offset), offset), Is.EqualTo((false, true, 0L)));
    }
}
