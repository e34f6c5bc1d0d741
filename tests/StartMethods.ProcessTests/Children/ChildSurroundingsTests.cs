using System.Diagnostics;
using System.Text;

namespace StartMethods.ProcessTests;

/// <summary>What a child finds around it: environment, directory, standard descriptors; and that it finds nothing else.</summary>
public class ChildSurroundingsTests(string method) : ChildTest(method)
{
    [Test]
    public async Task Environment_and_directory_are_those_of_the_request()
    {
        ChildOptions options = new() { WorkingDirectory = "/usr", Environment = { ["SM_TEST_ADDED"] = "yes", ["PATH"] = null } };
        string found = await ChildProcess.RunAsync(static () => $"{Environment.GetEnvironmentVariable("SM_TEST_ADDED")} {Environment.GetEnvironmentVariable("PATH") is null} {Environment.CurrentDirectory}", options);
        Assert.That(found, Is.EqualTo("yes True /usr"));
    }

    [Test]
    public async Task A_cleared_environment_is_empty_but_for_what_was_added()
    {
        ChildOptions options = new() { ClearEnvironment = true, Environment = { ["ONLY"] = "this" } };
        string[] names = await ChildProcess.RunAsync(static () => Environment.GetEnvironmentVariables().Keys.Cast<string>().ToArray(), options);
        Assert.That(names.Where(name => !name.StartsWith("DOTNET_", StringComparison.Ordinal)), Is.EqualTo(new[] { "ONLY" }));
    }

    [Test]
    public async Task Programs_that_a_child_starts_see_nothing_of_how_it_was_started()
    {
        ChildOptions options = new() { Environment = { ["DOTNET_gcServer"] = "0" } };
        string seen = await ChildProcess.RunAsync(static async () =>
        {
            await using SpawnedProcess program = SpawnedProcess.Start(new SpawnInfo("/usr/bin/env") { StandardOutput = SpawnStdio.Pipe });
            using System.Diagnostics.Process other = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("/usr/bin/env") { RedirectStandardOutput = true })!;
            return await new StreamReader(program.StandardOutput!).ReadToEndAsync() + await other.StandardOutput.ReadToEndAsync();
        }, options);
        Assert.That(seen, Does.Contain("DOTNET_gcServer=0"));
        Assert.That(seen, Does.Not.Contain("STARTMETHODS_CHILD").And.Not.Contain("DOTNET_STARTUP_HOOKS"));
    }

    [Test]
    public async Task A_child_has_no_descriptors_but_its_own()
    {
        using FileStream open = File.OpenRead("/etc/passwd");
        string[] targets = await ChildProcess.RunAsync(static () => Directory.GetFileSystemEntries("/proc/self/fd").Select(link => new FileInfo(link).LinkTarget ?? "").ToArray());
        Assert.That(targets, Has.None.Contains("/etc/passwd"));
        Assert.That(targets.Count(target => target.StartsWith("socket:", StringComparison.Ordinal)), Is.LessThanOrEqualTo(2), string.Join('\n', targets));
    }

    private static string[] FilesOf(int id) => Directory.GetFileSystemEntries(Path.GetTempPath(), $"*-{id}-*");

    /// <summary>The runtime removes them at an end of its own only: three of each spawned child stayed.</summary>
    [Test]
    public async Task A_child_leaves_none_of_the_files_by_which_tools_find_it()
    {
        await using ChildProcess<int> child = ChildProcess.Start(static () => FilesOf(Environment.ProcessId).Length);
        Assert.That(await child.Result, Is.EqualTo(Method == "spawn" ? 3 : 0));
        await child.WaitForExitAsync();
        Assert.That(FilesOf(child.Id), Is.Empty);
    }

    [Test]
    public async Task A_child_that_is_killed_leaves_none_of_them_either()
    {
        ChildCrashedException error = (await Assert.ThrowsAsync<ChildCrashedException>(() => ChildProcess.RunAsync(static () => Process.GetCurrentProcess().Kill())))!;
        Assert.That(error.ExitStatus.SignalNumber, Is.EqualTo(9));
        Assert.That(FilesOf(error.ProcessId), Is.Empty);
    }

    [Test]
    public async Task Standard_streams_can_be_pipes()
    {
        await using ChildProcess<string> child = ChildProcess.Start(static () =>
        {
            string line = Console.ReadLine()!;
            Console.WriteLine($"out: {line}");
            Console.Error.WriteLine("err");
            return line;
        }, new ChildOptions { StandardInput = SpawnStdio.Pipe, StandardOutput = SpawnStdio.Pipe, StandardError = SpawnStdio.Pipe });
        await child.StandardInput!.WriteAsync(Encoding.UTF8.GetBytes("question\n"));
        Assert.That(await child.Result, Is.EqualTo("question"));
        using StreamReader output = new(child.StandardOutput!), error = new(child.StandardError!);
        Assert.That(await output.ReadToEndAsync(Limit), Is.EqualTo("out: question\n"));
        Assert.That(await error.ReadToEndAsync(Limit), Is.EqualTo("err\n"));
    }

    [Test]
    public async Task Standard_input_is_empty_and_output_can_go_to_a_file()
    {
        string path = Path.Combine(Path.GetTempPath(), $"sm-output-{Environment.ProcessId}");
        try
        {
            string? line = await ChildProcess.RunAsync(static () => { Console.WriteLine("to the file"); return Console.ReadLine(); }, new ChildOptions { StandardOutput = SpawnStdio.WriteTo(path), StandardError = SpawnStdio.MergeIntoOutput });
            Assert.That(line, Is.Null);
            Assert.That(File.ReadAllText(path), Is.EqualTo("to the file\n"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public async Task A_flood_on_standard_error_neither_blocks_nor_is_kept_whole()
    {
        string path = Path.Combine(Path.GetTempPath(), $"sm-flood-{Environment.ProcessId}");
        try
        {
            await ChildProcess.RunAsync(static () =>
            {
                // Within a child of the child, so that the flood goes where that one's standard error goes.
                ChildProcess.RunAsync(static () => Console.Error.Write(new string('x', 4 << 20))).GetAwaiter().GetResult();
            }, new ChildOptions { StandardError = SpawnStdio.WriteTo(path) }, Limit);
            Assert.That(new FileInfo(path).Length, Is.EqualTo(4 << 20), "all of it was passed on");
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public async Task Console_output_and_exit_handlers_are_not_lost_at_the_exit()
    {
        await using ChildProcess<int> child = ChildProcess.Start(static () =>
        {
            Console.SetOut(new StreamWriter(Console.OpenStandardOutput(), bufferSize: 10_000) { AutoFlush = false });
            AppDomain.CurrentDomain.ProcessExit += (_, _) => { Console.Write("handler"); Console.Out.Flush(); };
            Console.Write("unflushed ");
            return 1;
        }, new ChildOptions { StandardOutput = SpawnStdio.Pipe });
        await child.Result;
        Assert.That(await new StreamReader(child.StandardOutput!).ReadToEndAsync(Limit), Is.EqualTo("unflushed handler"));
        Assert.That((await child.WaitForExitAsync(Limit)).Success);
    }

    [Test]
    public async Task A_method_of_ones_own_can_change_the_command()
    {
        static int Niceness() => int.Parse(File.ReadAllText("/proc/self/stat").Split(") ")[1].Split(' ')[16]);
        int nice = await ChildProcess.RunAsync(static () => Niceness(), new ChildOptions { Method = new NiceMethod() });
        Assert.That(nice, Is.EqualTo(Math.Min(19, Niceness() + 7)));
        Assert.That(await ChildProcess.RunAsync(static () => ChildProcess.Current!.Method.Name, new ChildOptions { Method = new NiceMethod() }), Is.EqualTo("nice"));
    }

    /// <summary>As a user would write it: spawn, under nice(1).</summary>
    private sealed class NiceMethod : StartMethod
    {
        public override string Name => "nice";

        protected internal override SpawnedProcess Launch(ChildLaunch launch)
        {
            SpawnInfo info = launch.CreateSpawnInfo();
            string[] command = [info.FileName, .. info.Arguments];
            info.Arguments.Clear();
            foreach (string word in (string[])["-n", "7", .. command])
                info.Arguments.Add(word);
            info.FileName = "nice";
            return launch.Start(info);
        }
    }
}
