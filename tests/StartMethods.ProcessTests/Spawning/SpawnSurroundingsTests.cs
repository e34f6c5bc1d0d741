using System.Diagnostics;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ProcessTests.Spawning;

/// <summary>Hosts in unusual surroundings, each a process of its own.</summary>
public class SpawnSurroundingsTests : IsolatedProcessTest
{
    // At most five times as much: 5,000 starts at once are what the watchdog's minute has room for on a busy machine.
    private static readonly int Scale = int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int scale) ? Math.Clamp(scale, 1, 5) : 1;

    private static string TestChild { get; } = Path.Combine(AppContext.BaseDirectory.Replace("StartMethods.ProcessTests", "TestChild"), "TestChild.dll");

    private static Task<SpawnOutput> Host(SpawnInfo info) => SpawnedProcess.RunAsync(info, new SpawnRunOptions { Timeout = TimeSpan.FromSeconds(50) }, Limit);

    [Test, Category("Stress"), CancelAfter(55_000)]
    public async Task As_the_first_process_of_a_container_every_status_is_exact_beside_Process()
    {
        if (Environment.UserName != "root")
            Assert.Ignore("needs root, for a process namespace");
        SpawnOutput output = await Host(new SpawnInfo("unshare", "--pid", "--fork", "--mount-proc", "dotnet", TestChild, "exact-statuses", $"{300 * Scale}", "yes"));
        Assert.That(output.Text, Is.EqualTo($"{300 * Scale} starts, 0 wrong; Process: 0 wrong; pid 1\n"), output.Error);
    }

    [Test]
    public async Task With_SIGCHLD_ignored_at_its_start_every_status_is_exact()
    {
        SpawnOutput output = await Host(new SpawnInfo("/bin/sh", "-c", "trap '' CHLD; exec dotnet \"$0\" exact-statuses 100 no", TestChild));
        Assert.That(output.Text, Does.StartWith("100 starts, 0 wrong"), output.Error);
    }

    [Test]
    public async Task With_its_standard_descriptors_closed_at_its_start_programs_find_theirs_open()
    {
        SpawnOutput output = await Host(new SpawnInfo("/bin/bash", "-c", "exec 5>&1; exec dotnet \"$0\" one-status 5 <&- >&- 2>&-", TestChild));
        Assert.That(output.Text, Is.EqualTo("exit 42"), output.Error);
    }

    [Test]
    public async Task Without_a_descriptor_left_the_error_says_so_and_nothing_leaks()
    {
        // Invariant: the runtime's own culture data is opened late, and the runtime ends the host when it cannot be.
        SpawnOutput output = await Host(new SpawnInfo("dotnet", TestChild, "descriptor-limit") { Environment = { ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1" } });
        Assert.That(output.Text, Does.Contain("EMFILE (Too many open files)").And.Contain("ulimit -n").And.EndWith("|0 leaked|works again\n"), output.Error);
    }

    [Test]
    public async Task A_program_dies_with_its_host_and_not_with_the_thread_that_started_it()
    {
        await using SpawnedProcess host = SpawnedProcess.Start(new SpawnInfo("dotnet", TestChild, "host-that-waits") { StandardOutput = SpawnStdio.Pipe });
        using StreamReader reader = new(host.StandardOutput!);
        int id = int.Parse((await reader.ReadLineAsync(Limit))!);
        Assert.That(Surroundings.IsAlive(id), Is.True);
        host.Kill();
        await Eventually(() => !Surroundings.IsAlive(id), "the program is gone");
    }

    [Test, Category("Stress"), CancelAfter(55_000)]
    public async Task A_host_that_is_killed_at_any_moment_of_a_start_leaves_no_program()
    {
        for (int round = 0; round < 8 * Scale; round++)
        {
            SpawnedProcess host = SpawnedProcess.Start(new SpawnInfo("dotnet", TestChild, "host-that-starts", "7654") { StandardOutput = SpawnStdio.Pipe });
            Assert.That(await host.StandardOutput!.ReadAsync(new byte[16], Limit), Is.Positive);
            for (int spins = Random.Shared.Next(3000); spins > 0; spins--)
                Thread.SpinWait(100);
            host.Kill();
            await host.WaitForExitAsync(Limit);
            await host.DisposeAsync();
        }
        await Eventually(() => SpawnedProcess.RunAsync("pgrep", ["-f", "^sleep 7654$"]).Result.Text.Length == 0, "no program is left");
    }

    [Test]
    public async Task A_directory_that_was_deleted_under_the_host_is_no_hindrance_unless_it_is_asked_for()
    {
        SpawnOutput output = await Host(new SpawnInfo("/bin/sh", "-c", "d=$(mktemp -d /tmp/sm-cwd-XXXXXX) && cd $d && rmdir $d && exec dotnet \"$0\" exact-statuses 4 no", TestChild));
        Assert.That(output.Text, Does.StartWith("4 starts, 0 wrong"), output.Error);
    }

    [Test]
    public async Task Without_pidfds_a_child_is_waited_for_by_its_id()
    {
        foreach ((string script, string expected) in new[] { ("exit 6", "exit 6"), ("kill -SEGV $$", "killed by SIGSEGV"), ("sleep 30", "killed by SIGTERM") })
        {
            ProcessLifetime lifetime = new PidLifetime(StartWithoutPidfd(script));
            if (script.StartsWith("sleep"))
                Assert.That(lifetime.Signal(SignalNumber.Terminate), Is.True);
            Assert.That((await lifetime.Exited.WaitAsync(Limit)).ToString(), Does.StartWith(expected));
            Assert.That(lifetime.Signal(SignalNumber.Kill), Is.False);
            Assert.That(lifetime.Usage, Is.Not.Null);
        }
    }

    [Test, Category("Stress"), CancelAfter(55_000)]
    public async Task Thousands_of_starts_fifty_at_a_time_beside_Process_lose_nothing()
    {
        int count = 1000 * Scale, wrong = 0, foreignWrong = 0;
        using CancellationTokenSource over = new();
        int threadsBefore = Process.GetCurrentProcess().Threads.Count;
        Task beside = Task.Run(() =>
        {
            for (int i = 0; !over.IsCancellationRequested; i++)
            {
                using Process process = Process.Start("/bin/sh", ["-c", $"exit {i % 100}"]);
                process.WaitForExit();
                if (process.ExitCode != i % 100)
                    Interlocked.Increment(ref foreignWrong);
            }
        }, Limit);
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 50, CancellationToken = Limit }, async (i, _) =>
        {
            SpawnOutput output = await SpawnedProcess.RunAsync("/bin/sh", ["-c", $"echo {i}; exit {i % 100}"], cancellationToken: Limit);
            if (output.Text != $"{i}\n" || output.ExitStatus.Code != i % 100)
                Interlocked.Increment(ref wrong);
        });
        await over.CancelAsync();
        await beside;
        Assert.That((wrong, foreignWrong), Is.EqualTo((0, 0)));
        Assert.That(Process.GetCurrentProcess().Threads.Count, Is.LessThan(threadsBefore + 70), "no thread for each program"); // the pool's own may grow
    }

    [Test, Category("Stress"), CancelAfter(55_000)]
    public async Task None_of_our_descriptors_shows_up_in_a_program_that_Process_started()
    {
        HashSet<string> before = await Inherited(); // what the surroundings of this host left open
        using CancellationTokenSource over = new();
        Task busy = Parallel.ForAsync(0, 4, async (_, _) =>
        {
            while (!over.IsCancellationRequested)
                await SpawnedProcess.RunAsync("true", [], cancellationToken: Limit);
        });
        try
        {
            for (int i = 0; i < 100 * Scale; i++)
                Assert.That((await Inherited()).Except(before), Is.Empty);
        }
        finally
        {
            await over.CancelAsync();
            await busy;
        }
    }

    private static async Task<HashSet<string>> Inherited()
    {
        using Process process = Process.Start(new ProcessStartInfo("/bin/bash", ["-c", "ls -l /proc/$$/fd"]) { RedirectStandardOutput = true })!;
        string list = await process.StandardOutput.ReadToEndAsync(Limit);
        await process.WaitForExitAsync(Limit);
        return [.. list.Split('\n').Where(line => line.Contains("pipe:") && !line.Contains(" 1 ->")).Select(line => line[line.LastIndexOf(' ')..])];
    }

    private static int StartWithoutPidfd(string script)
    {
        SpawnCall call = new()
        {
            File = "/bin/sh",
            Arguments = ["sh", "-c", script],
            Environment = new StringBlock(["PATH=/usr/bin:/bin"]),
            Descriptors = [new(0, 0), new(1, 1), new(2, 2)],
        };
        Assert.That(call.Invoke(out SpawnResult result), Is.Zero);
        Native.Close(result.Pidfd);
        return result.ProcessId;
    }
}
