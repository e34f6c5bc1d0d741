using StartMethods.ForkServers;

namespace StartMethods.Tests.ForkServers;

public class SuccessionTests
{
    private readonly StoppedClock _clock = new();
    private Succession _starts = null!;

    [SetUp]
    public void New() => _starts = new Succession(_clock);

    [Test]
    public void The_next_child_is_forked_ahead_once_five_starts_have_followed_one_another()
    {
        for (int i = 0; i < Succession.Row; i++)
            Assert.That(After(Succession.Soon), Is.False, $"start {i + 1}");
        Assert.That(After(Succession.Soon), Is.True);
        Assert.That(After(TimeSpan.Zero), Is.True, "and so on");
    }

    [Test]
    public void A_pause_begins_it_anew()
    {
        for (int i = 0; i < 50; i++)
            After(TimeSpan.FromMilliseconds(1));
        Assert.That(After(Succession.Soon + TimeSpan.FromTicks(1)), Is.False);
        for (int i = 1; i < Succession.Row; i++)
            Assert.That(After(Succession.Soon), Is.False);
        Assert.That(After(Succession.Soon), Is.True);
    }

    [Test]
    public void A_child_waits_for_a_moment_after_the_last_start()
    {
        After(TimeSpan.Zero);
        Assert.That(_starts.Left, Is.EqualTo(Succession.Patience));
        _clock.Now += Succession.Patience - TimeSpan.FromTicks(1);
        Assert.That(_starts.Left, Is.EqualTo(TimeSpan.FromTicks(1)));
        _clock.Now += TimeSpan.FromTicks(1);
        Assert.That(_starts.Left, Is.EqualTo(TimeSpan.Zero));
    }

    private bool After(TimeSpan pause)
    {
        _clock.Now += pause;
        return _starts.Started();
    }
}
