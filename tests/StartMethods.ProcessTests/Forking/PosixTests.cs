namespace StartMethods.ProcessTests.Forking;

public class PosixTests : ForkTests
{
    [Test]
    public async Task A_child_on_a_terminal_leads_its_session_and_the_parent_reads_until_the_end() =>
        Assert.That(await Run(new() { ["TERM"] = "dumb" }, ["fork-pty"]), Does.StartWith("typed/").And.EndWith("child: leads True, terminal True, True, read typed/<end> exit 4"));

    [Test]
    public async Task What_the_console_had_buffered_is_written_once() => Assert.That(await Run("fork-console"), Is.EqualTo("once child parent"));

    /// <summary>Where the kernel can: Linux 6.1, transparent huge pages not switched off. Elsewhere the option does nothing.</summary>
    [Test]
    public async Task A_heap_can_be_put_on_huge_pages_before_the_fork()
    {
        const string file = "/sys/kernel/mm/transparent_hugepage/enabled";
        bool can = Environment.OSVersion.Version >= new Version(6, 1) && File.Exists(file) && !File.ReadAllText(file).Contains("[never]", StringComparison.Ordinal);
        Assert.That(await Run("fork-huge-pages"), Does.StartWith($"exit 0, parent whole: True, on huge pages: {(can ? "most" : "")}"));
    }

    [TestCase("posix", "exit 0")]
    [TestCase("method", "5")]
    public async Task A_child_does_not_run_its_parents_exit_handlers(string how, string result) => Assert.That(await Run("fork-exit-handlers", how), Is.EqualTo($"{result}\nhandler"));

    [TestCase("kept", "exit 1, 1 bytes")]
    [TestCase("dropped", "exit 2, 0 bytes")]
    public async Task A_child_speaks_only_on_connections_that_it_was_given(string how, string result) => Assert.That(await Run("fork-socket-kept", how), Is.EqualTo(result));

    [Test]
    public void Waiting_for_a_process_that_is_no_child_says_so() =>
        Assert.That(() => Posix.Wait(1), Throws.TypeOf<StartMethodException>().With.Message.Contains("ECHILD"));

    [Test]
    public async Task A_wait_with_a_timeout_of_zero_only_looks() => Assert.That(await Run("fork-look"), Is.EqualTo("False exit 3"));
}
