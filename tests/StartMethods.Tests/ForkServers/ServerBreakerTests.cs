using StartMethods.ForkServers;

namespace StartMethods.Tests.ForkServers;

public class ServerBreakerTests
{
    private readonly StoppedClock _clock = new();
    private ServerBreaker _breaker = null!;

    [SetUp]
    public void New() => _breaker = new ServerBreaker(_clock);

    [Test]
    public void It_opens_after_five_deaths_in_a_row_and_says_how_the_last_one_died()
    {
        Die(4);
        Assert.That(_breaker.Refusal(), Is.Null);
        _breaker.Died("killed by SIGSEGV");
        Assert.That(_breaker.Refusal(), Does.Contain("5 servers in a row").And.Contain("killed by SIGSEGV"));
    }

    [Test]
    public void A_child_that_was_forked_forgives_what_came_before()
    {
        Die(4);
        _breaker.Served();
        Die(4);
        Assert.That(_breaker.Refusal(), Is.Null);
    }

    [Test]
    public void Deaths_that_are_far_apart_are_no_loop()
    {
        for (int i = 0; i < 20; i++)
        {
            Die(1);
            _clock.Now += TimeSpan.FromSeconds(10);
        }
        Assert.That(_breaker.Refusal(), Is.Null);
    }

    [Test]
    public void One_try_is_let_through_after_a_pause_that_doubles_with_each_failure()
    {
        Die(5);
        foreach (int pause in (int[])[1, 2, 4, 8, 16, 30, 30])
        {
            _clock.Now += TimeSpan.FromSeconds(pause) - TimeSpan.FromMilliseconds(1);
            Assert.That(_breaker.Refusal(), Is.Not.Null, $"before {pause} s");
            _clock.Now += TimeSpan.FromMilliseconds(1);
            Assert.That(_breaker.Refusal(), Is.Null, $"after {pause} s");
            Die(1);
        }
    }

    private void Die(int times)
    {
        for (int i = 0; i < times; i++)
            _breaker.Died("exit 1");
    }
}
