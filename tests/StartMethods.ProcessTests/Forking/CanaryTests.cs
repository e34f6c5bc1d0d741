namespace StartMethods.ProcessTests.Forking;

/// <summary>The child that is sent ahead of a process's first fork, and what its end means for that process.</summary>
public class CanaryTests : ForkTests
{
    [TestCase("once", "canaries 1, in the child none: True, hooks ran 3 times")]
    [TestCase("skipped", "canaries 0, in the child none: True, hooks ran 3 times")]
    public async Task A_process_sends_one_canary_before_its_first_fork_and_its_children_none(string how, string expected) => Assert.That(await Run("fork-canary", how), Is.EqualTo(expected));

    // In the first, the runtime's signal that stops a tight loop for a collection never arrives: what happened to every child whose thread map was not repaired.
    [TestCase("hangs", "failed its self-check at 'collection beside a loop on it': it hung")]
    [TestCase("dies", "the forked child died before its threads were back")]
    public async Task Where_a_forked_child_is_not_whole_nothing_is_forked_and_it_is_said_why(string how, string reason)
    {
        string[] lines = (await Run("fork-canary-refused", how)).Split('\n');
        Assert.That(lines[0], Does.StartWith("StartMethodNotSupportedException: fork: ").And.Contain(reason).And.Contain("StartMethod.Spawn"));
        Assert.That(lines[1], Does.StartWith("StartMethodNotSupportedException: fork: ").And.Contain(reason));
        Assert.That(lines[2], Is.EqualTo("at once: True"));
        Assert.That(lines[3], Does.Contain(reason));
        Assert.That(lines[4], Is.EqualTo("NotSupported"));
        Assert.That(lines[5], Is.EqualTo("left: child False, descriptors 0, the parent's thread lives: True"));
    }
}

/// <summary>Canaries again and again, in the program ForkChild: none of them may fail without a reason.</summary>
[Category("Stress")]
[CancelAfter(900_000)]
public class CanaryStressTests : ForkProgramTests
{
    [TestCase("warm", "None")]
    [TestCase("warm,users,jitting", "ReviveAll")]
    public async Task A_canary_of_a_process_that_can_be_forked_passes(string parent, string threads) =>
        await Fork("ForkChild", ["canary", $"{Math.Min(500, 5 * Factor)}"], $"FORKCHILD_PARENT={parent}", $"FORKCHILD_FLAGS={threads}");

    [Test]
    public async Task Who_waits_for_a_lock_is_not_left_behind_in_a_canary() =>
        await Fork("ForkChild", ["waiter-left-behind,throwing", $"{Math.Min(300, 6 * Factor)}"], "FORKCHILD_PARENT=throwing", "FORKCHILD_FLAGS=ReviveAll,Canary");

    [Test]
    public async Task A_canary_that_fails_crashes_or_hangs_is_told_apart_and_reaped() => await Fork("ForkChild", ["canary-verdicts", $"{Math.Min(200, 4 * Factor)}"]);

    /// <summary>Fails if its threads are those of any child: then a timer of the application ticks in it.</summary>
    [Test]
    public async Task Timers_and_finalizers_of_the_application_do_not_run_in_a_canary() => await Fork("ForkChild", ["canary-discreet", $"{Math.Min(200, 5 * Factor)}"]);
}
