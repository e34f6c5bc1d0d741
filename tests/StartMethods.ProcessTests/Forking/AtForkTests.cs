namespace StartMethods.ProcessTests.Forking;

public class AtForkTests : ForkTests
{
    [Test]
    public async Task Hooks_run_last_registered_first_before_and_first_registered_first_after() =>
        Assert.That(await Run("fork-hooks"), Is.EqualTo("parent BACD, child BAEF, second NBACD"));

    [Test]
    public async Task A_hook_that_throws_before_prevents_the_fork_and_one_that_throws_after_does_not()
    {
        string seen = await Run("fork-hook-throws");
        Assert.That(seen, Does.StartWith("InvalidDataException: not now; inner inner-parent; exit 6; "));
        Assert.That(seen, Does.Not.Contain("outer?"));
    }

    [Test]
    public async Task Registrations_do_not_grow_from_one_generation_to_the_next() => Assert.That(await Run("fork-generations", "5"), Is.EqualTo("exit 0"));

    [Test]
    public void Without_any_hook_there_is_nothing_to_register() => Assert.That(() => AtFork.Register(), Throws.ArgumentException);

    [Test]
    public async Task Forks_of_several_threads_take_turns_with_their_hooks() => Assert.That(await Run("fork-concurrently"), Is.EqualTo("20 whole, at most 1 at once"));
}
