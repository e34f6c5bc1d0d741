using System.Runtime.InteropServices;

namespace StartMethods.ProcessTests.Spawning;

/// <summary>Hosts that run out of something, or are disturbed, while they start programs and functions.</summary>
public class SpawnFaultTests : IsolatedProcessTest
{
    private static readonly string TestChild = Path.Combine(AppContext.BaseDirectory.Replace("StartMethods.ProcessTests", "TestChild"), "TestChild.dll");

    private static Task<SpawnOutput> Host(params string[] arguments) => SpawnedProcess.RunAsync("dotnet", [TestChild, .. arguments], cancellationToken: Limit);

    [Test]
    public async Task In_a_full_pids_cgroup_the_error_says_so_and_with_room_it_works_again()
    {
        const string hierarchy = "/sys/fs/cgroup/pids";
        string group = Path.Combine(hierarchy, $"startmethods-test-{Environment.ProcessId}");
        try
        {
            Directory.CreateDirectory(group);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            Assert.Ignore($"needs a writable {hierarchy}: {e.Message}");
        }
        try
        {
            SpawnOutput output = await SpawnedProcess.RunAsync("/bin/sh", ["-c", "echo $$ >\"$1/cgroup.procs\" && exec dotnet \"$0\" process-limit \"$1\"", TestChild, group], cancellationToken: Limit);
            Assert.That(output.Text.TrimEnd().Split('|'), Is.EqualTo(new[] { "program", "function", "works" }).Using<string>(IsMeant), $"{output.Text}{output.Error}");
        }
        finally
        {
            await Eventually(() => File.ReadAllText(Path.Combine(group, "pids.current")).Trim() == "0", "the group is empty");
            Directory.Delete(group);
        }
    }

    // EAGAIN with the name of the step and a remedy, for the program and for the function.
    private static bool IsMeant(string actual, string expected) =>
        expected == "works" ? actual == expected : actual.StartsWith("SpawnException: clone", StringComparison.Ordinal) && actual.Contains("EAGAIN") && actual.Contains("pids");

    [Test]
    public async Task Without_a_file_left_in_the_system_the_error_says_so_and_nothing_leaks()
    {
        SpawnOutput output = await Host("no-files");
        string[] parts = output.Text.TrimEnd().Split('\n')[^1].Split('|');
        Assert.That(parts, Has.Length.EqualTo(3), $"{output.Text}{output.Error}");
        Assert.That(parts[0], Does.Contain("ENFILE").And.Contain("fs.file-max"));
        Assert.That(parts[1], Does.Contain("ENFILE"));
        Assert.That(parts[2], Is.EqualTo("0 leaked"));
    }

    [Test]
    public async Task Signals_that_interrupt_every_call_of_every_thread_lose_and_truncate_nothing()
    {
        SpawnOutput output = await Host("signal-storm", "5");
        Assert.That(output.Text, Is.EqualTo("0 wrong|many interruptions\n"), output.Error);
    }

    [TestCase("spawn"), TestCase("forkserver")]
    public async Task CtrlC_reaches_the_host_once_and_what_is_in_its_group(string method)
    {
        await using SpawnedProcess host = SpawnedProcess.Start(new SpawnInfo("dotnet", TestChild, "group-leader", method) { ProcessGroup = 0, StandardOutput = SpawnStdio.Pipe });
        using StreamReader reader = new(host.StandardOutput!);
        Assert.That(await reader.ReadLineAsync(Limit), Is.EqualTo("up"));
        host.SignalGroup(PosixSignal.SIGINT);
        string? report = await reader.ReadLineAsync(Limit);
        await host.WaitForExitAsync(Limit);
        Assert.That(report, Is.EqualTo("1 interrupt|killed by SIGINT|runs|killed by SIGINT"));
    }
}
