using StartMethods.ForkServers;

namespace StartMethods.Tests.ForkServers;

public class SpareTableTests
{
    [Test]
    public void Orders_never_exceed_what_is_wanted()
    {
        SpareTable<object> table = new(3);
        Assert.That(table.TakeOrders(), Is.EqualTo(3));
        Assert.That(table.TakeOrders(), Is.Zero, "three are coming");
        table.Arrived(new object(), 0);
        Assert.That(table.TakeOrders(), Is.Zero);
        Assert.That(table.TryTake(), Is.Not.Null);
        Assert.That(table.TakeOrders(), Is.EqualTo(1));
        table.Failed(0);
        Assert.That(table.TakeOrders(), Is.EqualTo(1), "one that will not come is ordered again");
    }

    [Test]
    public void A_newer_image_hands_back_what_waits_and_refuses_what_comes_late()
    {
        SpareTable<string> table = new(2);
        int old = table.Generation;
        table.TakeOrders();
        table.Arrived("waits", old);
        Assert.That(table.Renew(), Is.EqualTo(new[] { "waits" }));
        Assert.That(table.TakeOrders(), Is.EqualTo(2));
        Assert.That(table.Arrived("late", old), Is.False);
        table.Failed(old);
        Assert.That(table.Coming, Is.EqualTo(2), "what happens to the old ones does not count any more");
        Assert.That(table.TryTake(), Is.Null);
    }

    [Test]
    public void In_any_order_of_events_there_are_never_more_than_wanted([Range(1, 20)] int seed)
    {
        Random random = new(seed);
        SpareTable<object> table = new(random.Next(0, 6));
        Queue<int> coming = new();
        for (int step = 0; step < 2_000; step++)
        {
            switch (random.Next(5))
            {
                case 0:
                    for (int i = table.TakeOrders(); i > 0; i--)
                        coming.Enqueue(table.Generation);
                    break;
                case 1 when coming.TryDequeue(out int generation):
                    table.Arrived(new object(), generation);
                    break;
                case 2 when coming.TryDequeue(out int generation):
                    table.Failed(generation);
                    break;
                case 3:
                    table.TryTake();
                    break;
                case 4 when random.Next(20) == 0:
                    table.Renew();
                    break;
            }
            Assert.That(table.Idle + table.Coming, Is.LessThanOrEqualTo(table.Wanted));
            Assert.That(table.Coming, Is.EqualTo(coming.Count(generation => generation == table.Generation)));
        }
    }
}
