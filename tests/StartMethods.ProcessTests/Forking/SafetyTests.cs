namespace StartMethods.ProcessTests.Forking;

public class SafetyTests : ForkTests
{
    [Test]
    public async Task A_program_with_only_threads_of_the_runtime_can_be_forked_and_the_report_says_so()
    {
        string report = await Run("fork-empty-report");
        Assert.That(report, Does.StartWith("A fork is safe now.").And.Contain("runtime").And.Contain(".NET Finalizer").And.Not.Contain("!"));
    }

    [Test]
    public async Task A_fork_returns_twice() => Assert.That(await Run("fork-plain"), Is.EqualTo("exit 7"));

    [Test]
    public async Task Asynchronous_code_with_idle_workers_and_a_main_thread_that_waits_can_fork() => Assert.That(await Run("fork-async"), Is.EqualTo("True exit 8"));

    [Test]
    public async Task A_fork_beside_a_thread_of_the_application_is_refused_with_its_name_and_a_remedy_and_works_when_it_has_ended()
    {
        string[] seen = (await Run("fork-user-thread", "default")).Split('\n');
        Assert.That(seen, Has.Length.EqualTo(3));
        Assert.That(seen[0], Does.StartWith("UnsafeForkException:").And.Contain("user thread 'book keeper' (native id ").And.Contain("managed id").And.Contain("Thread.Join").And.Contain("ForkServer"));
        Assert.That(seen[2], Is.EqualTo("exit 5"));
    }

    [Test]
    public async Task A_thread_that_was_started_after_safe_forks_is_refused_as_before_the_first()
    {
        string[] seen = (await Run("fork-thread-after-safe-forks")).Split('\n');
        Assert.That(seen[..3], Is.All.EqualTo("exit 5"));
        Assert.That(seen[3..5], Is.All.StartsWith("UnsafeForkException:").And.All.Contains("user thread 'book keeper' (native id "));
        Assert.That(seen[5..], Has.Length.EqualTo(3).And.All.EqualTo("exit 6"));
    }

    [Test]
    public async Task A_warning_is_raised_once_for_a_call_site_in_the_parent_and_the_fork_goes_on() =>
        Assert.That(await Run("fork-user-thread", "Warn"), Is.EqualTo("event UnsafeFork\nwarning of 1 at TestChild.Forking.ForkVerbs.ForkAndWait\nnot refused: exit 0\nnot refused: exit 0\nexit 5"));

    [Test]
    public async Task What_is_allowed_is_not_looked_at() => Assert.That(await Run("fork-user-thread", "Allow"), Is.EqualTo("not refused: exit 0\nnot refused: exit 0\nexit 5"));

    [Test]
    public async Task A_thread_of_native_code_is_exactly_one_warning_in_the_parent_and_none_in_the_child() =>
        Assert.That(await Run("fork-foreign-thread", "Warn"), Is.EqualTo("exit 3|True ForeignThread"));

    [Test]
    public async Task A_thread_of_native_code_is_named_by_its_id_and_what_it_does() =>
        Assert.That(await Run("fork-foreign-thread", "Throw"), Does.Contain("foreign native thread").And.Contain("native id").And.Contain("read"));

    [Test]
    public async Task Busy_workers_are_counted_and_idle_ones_are_no_hindrance()
    {
        string[] seen = (await Run("fork-busy-pool")).Split('\n');
        Assert.That(seen[0], Does.Contain("1 worker of the thread pool is in the middle of a work item"));
        Assert.That(seen[1], Is.EqualTo("exit 0"));
    }

    [Test]
    public async Task Workers_that_come_and_go_are_no_hindrance() =>
        Assert.That(await Run(new() { ["DOTNET_ThreadPool_ThreadTimeoutMs"] = "1" }, ["fork-pool-churn"]), Is.EqualTo("always safe"));

    [Test]
    public async Task A_pending_operation_on_a_socket_is_a_reason_and_a_finished_one_is_none()
    {
        string[] seen = (await Run("fork-sockets")).Split('\n');
        Assert.That(seen[0], Does.Contain("1 socket has pending asynchronous operations"));
        Assert.That(seen[1], Is.EqualTo("exit 2"));
    }

    [Test]
    public async Task A_static_constructor_cannot_fork() => Assert.That(await Run("fork-static-constructor"), Does.Contain("the static constructor of TestChild.Forking.ForkVerbs+InConstructor"));

    [Test]
    public async Task A_plug_in_of_another_load_context_cannot_fork() =>
        Assert.That(await Run("fork-load-context"), Does.Contain("TestChild.Forking.ForkVerbs.ForkAndWait is code of a load context that is not the default one"));

    [Test]
    public async Task A_plug_in_that_has_asked_for_a_fork_can_be_unloaded() => Assert.That(await Run("fork-unloaded-context"), Does.Contain("load context that is not the default one").And.EndWith("unloaded: True"));

    [Test]
    public async Task A_handler_of_the_warning_can_fork_itself() => Assert.That(await Run("fork-from-handler"), Is.EqualTo("exit 6, exit 7"));

    [Test]
    public async Task A_finalizer_cannot_fork() => Assert.That(await Run("fork-finalizer"), Does.Contain("asked for by a finalizer"));

    [TestCase("Throw")]
    [TestCase("Allow")]
    public async Task A_process_that_is_ending_cannot_fork_whatever_the_policy(string policy) => Assert.That(await Run("fork-at-exit", policy), Does.Contain("this process is ending"));

    [Test]
    public async Task Memory_that_a_child_would_not_have_is_named()
    {
        string[] seen = (await Run("fork-mapped-memory")).Split('\n');
        Assert.That(seen[0], Does.Contain("memory is mapped that a child does not get (/memfd:").And.Contain("HandleInheritability.Inheritable"));
        Assert.That(seen[1], Is.EqualTo("exit 2"));
    }

    [Test]
    public async Task Crash_dumps_are_a_reason_since_a_crashing_child_would_dump_its_parent() =>
        Assert.That(await Run(new() { ["DOTNET_DbgEnableMiniDump"] = "1" }, ["fork-crash-dumps"]), Does.Contain("DOTNET_DbgEnableMiniDump"));

    [TestCase("mydebugger", true)]
    [TestCase("strace", false)]
    public async Task A_debugger_that_is_attached_is_a_reason_with_its_name_and_strace_is_none(string name, bool isUnsafe)
    {
        string[] lines = (await Run("fork-traced", name)).Split('\n');
        if (lines[0].StartsWith("not permitted", StringComparison.Ordinal))
            Assert.Ignore($"ptrace: {lines[0]}");
        Assert.That(lines[0], isUnsafe ? Does.StartWith($"UnsafeForkException: A fork is not safe now: this process is traced by '{name}' (native id ") : Is.EqualTo("not refused: exit 0"));
        Assert.That(lines[1], Does.StartWith($"{isUnsafe}: this process is traced by '{name}'"));
        Assert.That(lines[2], Is.EqualTo("not refused: exit 0"));
    }

    [Test]
    public async Task A_lock_that_a_thread_of_the_application_holds_stays_held_in_the_child() => Assert.That(await Run("fork-lock", "Runtime"), Is.EqualTo("exit 2"));

    [Test]
    public async Task A_lock_is_released_in_the_child_too_when_its_holder_lives_on_there() => Assert.That(await Run("fork-lock", "All"), Is.EqualTo("exit 1"));

    [Test]
    public void This_test_host_reports_every_thread_once()
    {
        ForkSafetyReport report = ForkSafety.Inspect();
        Assert.That(report.Threads.Select(thread => thread.Id), Is.Unique);
        Assert.That(report.Threads.Count(thread => thread.Kind == ForkThreadKind.Main), Is.LessThanOrEqualTo(1));
        Assert.That(report.Threads.Where(thread => !report.ToString().Contains(thread.Name, StringComparison.Ordinal)), Is.Empty);
    }
}
