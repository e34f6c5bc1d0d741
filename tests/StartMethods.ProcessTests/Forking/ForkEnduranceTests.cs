namespace StartMethods.ProcessTests.Forking;

/// <summary>Very many forks of one process, and forks beside threads of the application that are never still.</summary>
[Category("Stress")]
[CancelAfter(900_000)]
public class ForkEnduranceTests : ForkProgramTests
{
    [Test]
    public async Task Ten_thousand_forks_leave_nothing_in_the_parent_and_it_is_itself_afterwards() =>
        TestContext.Out.WriteLine(string.Join('\n', await Fork("ForkChild", ["endurance", $"{Math.Min(10_000, 100 * Factor)}"])));

    /// <summary>Three threads that allocate, throw, lock and sleep: each fork works, or is refused in time with the name of one of them.</summary>
    [TestCase("None")]
    [TestCase("ReviveAll")]
    public async Task Forks_beside_busy_threads_of_the_application_work_or_are_refused_by_name(string threads) =>
        TestContext.Out.WriteLine(string.Join('\n', await Fork("ForkChild", ["work", $"{Math.Min(1000, 5 * Factor)}"], "FORKCHILD_PARENT=warm,users", $"FORKCHILD_FLAGS={threads}", "FORKCHILD_MAY_REFUSE=1")));

    /// <summary>Threads that cause collections all the time: a fork may come upon any part of one.</summary>
    [Test]
    public async Task Children_of_a_process_that_collects_garbage_all_the_time_are_whole() =>
        TestContext.Out.WriteLine(string.Join('\n', await Fork("ForkChild", ["collect,spin", $"{Math.Min(300, 2 * Factor)}"], "FORKCHILD_PARENT=warm,collecting", "FORKCHILD_FLAGS=ReviveAll")));
}
