using System.Diagnostics;

namespace StartMethods.ProcessTests;

/// <summary>Applications of their own process: what becomes of children when their parent ends, and parents in unfriendly surroundings.</summary>
public class ParentTests(string method) : ChildTest(method)
{
    private const string Marker = "SM_TEST_MARKER";
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory.Replace("StartMethods.ProcessTests", "TestChild"), "TestChild.dll");

    [TestCase(0), TestCase(10), TestCase(25), TestCase(40), TestCase(60), TestCase(90), TestCase(150), TestCase(400)]
    public async Task A_parent_killed_at_any_moment_leaves_no_child_after_two_seconds(int milliseconds)
    {
        string marker = Guid.NewGuid().ToString();
        await using SpawnedProcess parent = SpawnedProcess.Start(Parent(marker, "4", "wait"));
        using StreamReader output = new(parent.StandardOutput!);
        Assert.That(await output.ReadLineAsync(Limit), Is.EqualTo("starting"));
        await Task.Delay(milliseconds);
        parent.Kill();
        await parent.WaitForExitAsync(Limit);
        await NobodyIsLeft(marker);
    }

    [TestCase("return"), TestCase("failfast"), TestCase("throw")]
    public async Task A_parent_that_ends_without_disposing_leaves_no_child(string end)
    {
        string marker = Guid.NewGuid().ToString();
        await using SpawnedProcess parent = SpawnedProcess.Start(Parent(marker, "3", end));
        await parent.WaitForExitAsync(Limit);
        await NobodyIsLeft(marker);
    }

    [Test]
    public async Task A_detached_child_goes_on_without_its_parent()
    {
        string marker = Guid.NewGuid().ToString();
        await using SpawnedProcess parent = SpawnedProcess.Start(Parent(marker, "1", "return", "detached"));
        await parent.WaitForExitAsync(Limit);
        await Task.Delay(1500);
        int[] left = Marked(marker);
        foreach (int id in left)
            Surroundings.End(id, "detached child");
        Assert.That(left, Has.Length.EqualTo(1));
        await NobodyIsLeft(marker);
    }

    [Test]
    public Task As_process_1_of_a_container_every_status_is_exact() =>
        Check("/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "dotnet", Program);

    [Test]
    public Task With_SIGCHLD_ignored_from_the_start_results_and_statuses_are_right() =>
        Check("/bin/sh", "-c", "trap '' CHLD; exec dotnet \"$0\" \"$@\"", Program);

    [Test]
    public Task With_the_standard_streams_closed_from_the_start_children_work() =>
        Check("/bin/sh", "-c", "exec dotnet \"$0\" \"$@\" <&- >&- 2>&-", Program);

    [Test]
    public Task Without_a_place_for_temporary_files_and_a_home_children_work() =>
        Check("/usr/bin/env", "-i", $"PATH={Environment.GetEnvironmentVariable("PATH")}", $"{Variable}={Method}", "TMPDIR=/nonexistent", "DOTNET_CLI_HOME=/nonexistent", "dotnet", Program);

    private async Task Check(string launcher, params string[] words)
    {
        string report = Path.Combine(Path.GetTempPath(), $"sm-check-{Environment.ProcessId}-{Guid.NewGuid():N}");
        try
        {
            SpawnInfo info = new(launcher, [.. words, "check-children", report]) { StandardInput = SpawnStdio.Null, Environment = { [Variable] = Method } };
            await using SpawnedProcess process = SpawnedProcess.Start(info);
            ExitStatus status = await process.WaitForExitAsync(Limit);
            Assert.That(File.Exists(report) ? File.ReadAllText(report) : "no report", Is.EqualTo("ok\n"), status.ToString());
            Assert.That(status.Success || status == ExitStatus.Unknown, status.ToString());
        }
        finally
        {
            File.Delete(report);
        }
    }

    private SpawnInfo Parent(string marker, params string[] arguments) => new("dotnet", [Program, "parent", .. arguments])
    {
        Environment = { [Marker] = marker, [Variable] = Method, ["DOTNET_DbgEnableMiniDump"] = "0" }, StandardOutput = SpawnStdio.Pipe, StandardError = SpawnStdio.Null,
        Limits = { [ResourceLimit.CoreSize] = 0 },
    };

    private static async Task NobodyIsLeft(string marker)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (Marked(marker).Length > 0 && time.Elapsed < TimeSpan.FromSeconds(2))
            await Task.Delay(10);
        int[] left = Marked(marker);
        foreach (int id in left)
            Surroundings.End(id, "left over");
        Assert.That(left, Is.Empty, "children that outlive their parent by two seconds");
    }

    /// <summary>The processes that carry the marker in their environment: the parent and all its descendants.</summary>
    private static int[] Marked(string marker) => [.. Directory.EnumerateDirectories("/proc").Select(directory => int.TryParse(Path.GetFileName(directory), out int id) ? id : 0)
        .Where(id => id > 0 && Surroundings.IsAlive(id) && Environ(id).Contains(marker, StringComparison.Ordinal))];

    private static string Environ(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/environ");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // it ended while we looked
        }
    }
}
