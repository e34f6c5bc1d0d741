using System.Runtime.InteropServices;

namespace StartMethods.ProcessTests;

/// <summary>A child that ends without an answer: how it ended, how far it had come, and what it said last.</summary>
public class CrashTests(string method) : ChildTest(method)
{
    [TestCase(0), TestCase(3), TestCase(200)]
    public async Task A_body_that_exits_the_process_is_a_crash_with_its_code(int code)
    {
        ChildCrashedException error = (await Assert.ThrowsAsync<ChildCrashedException>(() => ChildProcess.RunAsync(static code => Environment.Exit(code), code)))!;
        Assert.That(error.ExitStatus.Code, Is.EqualTo(code));
        Assert.That(error.Message, Does.Contain($"exit {code}").And.Contains("while the body was running"));
        Assert.That(error.Stage, Is.EqualTo(ChildStage.Running));
        Assert.That(error.ProcessId, Is.GreaterThan(0));
    }

    [TestCase(6, "SIGABRT"), TestCase(11, "SIGSEGV"), TestCase(8, "SIGFPE"), TestCase(4, "SIGILL"), TestCase(7, "SIGBUS"), TestCase(9, "SIGKILL")]
    public async Task A_body_that_a_signal_kills_is_a_crash_with_the_signals_name(int signal, string name)
    {
        ChildCrashedException error = (await Assert.ThrowsAsync<ChildCrashedException>(() => ChildProcess.RunAsync(static signal => RaiseWithDefault(signal), signal)))!;
        Assert.That(error.ExitStatus.SignalNumber, Is.EqualTo(signal));
        Assert.That(error.Message, Does.Contain(name));
    }

    [Test]
    public async Task Its_last_lines_of_standard_error_are_in_the_message()
    {
        ChildCrashedException error = (await Assert.ThrowsAsync<ChildCrashedException>(() => ChildProcess.RunAsync(static () =>
        {
            for (int i = 0; i < 1000; i++)
                Console.Error.WriteLine($"line {i} (a test wrote this)");
            Environment.FailFast("the end of the test");
        })))!;
        Assert.That(error.StandardError, Does.Contain("the end of the test"));
        Assert.That(error.StandardError, Does.Not.Contain("line 1 "));
        Assert.That(error.Message, Does.Contain("the end of the test"));
    }

    [Test]
    public async Task A_stack_overflow_ends_the_child_only_and_is_named()
    {
        ChildCrashedException error = (await Assert.ThrowsAsync<ChildCrashedException>(() => ChildProcess.RunAsync(static () => Overflow(1))))!;
        Assert.That(error.ExitStatus.SignalName, Is.EqualTo("SIGABRT").Or.EqualTo("SIGSEGV"));
        Assert.That(error.StandardError, Does.Contain("verflow"));
    }

    [Test]
    public async Task A_child_that_dies_before_it_is_up_says_so()
    {
        await using ChildProcess<int> child = ChildProcess.Start(() => 1, new ChildOptions { Method = new OtherProgram("/bin/sh", "-c", "echo cannot begin >&2; exit 9") });
        ChildCrashedException error = (await Assert.ThrowsAsync<ChildCrashedException>(() => child.Result))!;
        Assert.That(error.Stage, Is.EqualTo(ChildStage.Starting));
        Assert.That(error.ExitStatus.Code, Is.EqualTo(9));
        Assert.That(error.StandardError, Is.EqualTo("cannot begin"));
    }

    [Test]
    public async Task A_child_that_never_says_that_it_is_up_is_killed()
    {
        await using ChildProcess<int> child = ChildProcess.Start(() => 1, new ChildOptions { Method = new OtherProgram("/bin/sleep", "60"), StartTimeout = TimeSpan.FromMilliseconds(200) });
        ChildTimeoutException error = (await Assert.ThrowsAsync<ChildTimeoutException>(() => child.Result))!;
        Assert.That(error.Message, Does.Contain(nameof(ChildOptions.StartTimeout)));
        Assert.That((await child.WaitForExitAsync(Limit)).SignalNumber, Is.EqualTo(9));
    }

    [Test]
    public async Task A_child_that_sends_something_else_is_killed_and_the_error_says_what()
    {
        await using ChildProcess<int> child = ChildProcess.Start(() => 1, new ChildOptions { Method = new OtherProgram("/bin/sh", "-c", "echo this is not a frame of the library >&3; exec sleep 60") });
        Assert.That((await Assert.CatchAsync(() => child.Result))!.Message, Does.Contain("no frame of StartMethods"));
        await child.WaitForExitAsync(Limit);
    }

    [Test]
    public void Another_build_of_the_library_is_a_build_id_mismatch_and_not_a_parse_error()
    {
        byte[] hello = new Bootstrap.HelloMessage(Bootstrap.HelloMessage.CurrentProtocol, Guid.NewGuid(), 1).Encode();
        Assert.That(Bootstrap.HelloMessage.Check(hello), Does.Contain("build id mismatch"));
        hello[0] = 99;
        Assert.That(Bootstrap.HelloMessage.Check(hello), Does.Contain("build id mismatch"));
        Assert.That(Bootstrap.HelloMessage.Check(Bootstrap.HelloMessage.Own.Encode()), Is.Null);
    }

    [Test]
    public async Task A_child_killed_while_it_reads_a_large_argument_is_a_crash_and_no_hang()
    {
        byte[] large = new byte[16 << 20];
        await using ChildProcess<int> child = ChildProcess.Start(static bytes => bytes.Length, large, new ChildOptions { Method = new OtherProgram("/bin/sh", "-c", "head -c 100000 <&3 >/dev/null; kill -9 $$") });
        ChildCrashedException error = (await Assert.ThrowsAsync<ChildCrashedException>(() => child.Result))!;
        Assert.That(error.ExitStatus.SignalNumber, Is.EqualTo(9));
        Assert.That(error.Stage, Is.LessThan(ChildStage.Running));
    }

    [Test]
    public async Task A_child_that_dies_after_its_answer_has_answered()
    {
        await using ChildProcess<int> child = ChildProcess.Start(static () =>
        {
            AppDomain.CurrentDomain.ProcessExit += (_, _) => Raise(9);
            return 5;
        });
        Assert.That(await child.Result, Is.EqualTo(5));
        Assert.That((await child.WaitForExitAsync(Limit)).SignalNumber, Is.EqualTo(9));
    }

    [Test]
    public async Task A_child_whose_exit_handlers_hang_is_killed_after_its_grace()
    {
        await using ChildProcess<int> child = ChildProcess.Start(static () =>
        {
            AppDomain.CurrentDomain.ProcessExit += (_, _) => Thread.Sleep(Timeout.Infinite);
            return 6;
        }, new ChildOptions { Grace = TimeSpan.FromMilliseconds(200) });
        Assert.That(await child.Result, Is.EqualTo(6));
        Assert.That((await child.WaitForExitAsync(Limit)).SignalNumber, Is.EqualTo(9));
    }

    [Test]
    public async Task A_missing_executable_directory_or_permission_names_stage_path_and_errno()
    {
        SpawnException directory = (await Assert.ThrowsAsync<SpawnException>(() => ChildProcess.RunAsync(() => 1, new ChildOptions { WorkingDirectory = "/nonexistent/directory" })))!;
        Assert.That(directory.Message, Does.Contain("chdir /nonexistent/directory").And.Contains("ENOENT"));
        SpawnException program = (await Assert.ThrowsAsync<SpawnException>(() => ChildProcess.RunAsync(() => 1, new ChildOptions { Method = new OtherProgram("/nonexistent/program") })))!;
        Assert.That(program.Message, Does.Contain("/nonexistent/program").And.Contains("ENOENT"));
    }

    private static int Overflow(int depth) => depth == 0 ? 0 : Overflow(depth + 1) + Overflow(depth + 2);

    private static void RaiseWithDefault(int signal)
    {
        // The runtime turns some of these into exceptions while its handler is there.
        Libc.signal(signal, 0);
        Raise(signal);
        Thread.Sleep(Timeout.Infinite);
    }

    private static void Raise(int signal) => Libc.kill(Environment.ProcessId, signal);

    private static class Libc
    {
        [DllImport("libc")]
        internal static extern int kill(int pid, int signal);

        [DllImport("libc")]
        internal static extern nint signal(int number, nint handler);
    }

    /// <summary>A start method of a user's own that starts something else instead: what is wrong with the child is then ours to notice.</summary>
    private sealed class OtherProgram(string file, params string[] arguments) : StartMethod
    {
        public override string Name => "other";

        protected internal override SpawnedProcess Launch(ChildLaunch launch)
        {
            SpawnInfo info = launch.CreateSpawnInfo();
            info.FileName = file;
            info.Arguments.Clear();
            foreach (string argument in arguments)
                info.Arguments.Add(argument);
            return launch.Start(info);
        }
    }
}
