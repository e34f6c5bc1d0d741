namespace StartMethods.ProcessTests;

/// <summary>The samples that fork: not part of the portable pass, in which nothing can be forked.</summary>
public class ForkSamplesTests
{
    [OneTimeSetUp]
    public void OnlyWhereThisRuntimeCanBeForked()
    {
        if (StartMethod.Fork.UnsupportedReason is { } reason)
            Assert.Ignore(reason);
    }

    [Test, CancelAfter(60_000)]
    public async Task Deadlock_shows_every_end_of_a_held_lock(CancellationToken cancellation)
    {
        string output = await SamplesTests.RunAsync("Deadlock", [], cancellation);
        Assert.That(output, Does.Contain("fork: refused.").And.Contain("'Bookkeeper'").And.Contain("waited for the lock in vain"));
        Assert.That(output, Does.Match("threads of the application live on: the child .* took the lock"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Snapshot_saves_what_was_there_at_one_moment(CancellationToken cancellation) =>
        Assert.That(await SamplesTests.RunAsync("Snapshot", ["32"], cancellation), Does.Contain("that of one moment: yes"));

    [TestCase("", "a forked child collected garbage", TestName = "Doctor_forks_a_process_without_other_threads")]
    [TestCase("--busy", "refused: 1 reasons", TestName = "Doctor_refuses_beside_a_thread_of_its_own"), CancelAfter(60_000)]
    public async Task Doctor(string argument, string expected, CancellationToken cancellation) =>
        Assert.That(await SamplesTests.RunAsync("Doctor", argument.Length == 0 ? [] : [argument], cancellation), Does.Contain("spawn       works").And.Contain(expected));
}
