using StartMethods.Spawning;

namespace StartMethods.ProcessTests.Spawning;

/// <summary>The path without the native library, run here as well.</summary>
public class PortableSpawnTests : IsolatedProcessTest
{
    private static SpawnedProcess Start(SpawnInfo info)
    {
        StartedProgram started = PortableStart.Start(info, new StandardStreams(info));
        return new SpawnedProcess(started.Lifetime, started.Input, started.Output, started.Error);
    }

    [Test]
    public async Task A_program_runs_with_arguments_environment_directory_and_pipes()
    {
        await using SpawnedProcess process = Start(new SpawnInfo("/bin/sh", "-c", "read line; echo $line $1 $NAME; pwd; echo err >&2; exit 3", "x", "one")
        {
            StandardInput = SpawnStdio.Pipe,
            StandardOutput = SpawnStdio.Pipe,
            StandardError = SpawnStdio.Null,
            Environment = { ["NAME"] = "value" },
            WorkingDirectory = "/usr",
        });
        await process.StandardInput!.WriteAsync("line\n"u8.ToArray(), Limit);
        await process.StandardInput.DisposeAsync();
        using StreamReader reader = new(process.StandardOutput!);
        Assert.That(await reader.ReadToEndAsync(Limit), Is.EqualTo("line one value\n/usr\n"));
        Assert.That((await process.WaitForExitAsync(Limit)).ToString(), Is.EqualTo("exit 3"));
        Assert.That(process.HasExited, Is.True);
    }

    [Test]
    public async Task A_program_is_terminated_and_killed()
    {
        await using SpawnedProcess one = Start(new SpawnInfo("sleep", "30")), other = Start(new SpawnInfo("sleep", "30"));
        Assert.That(one.HasExited, Is.False);
        one.Terminate();
        other.Kill();
        Assert.That((await one.WaitForExitAsync(Limit)).ToString(), Is.EqualTo("killed by SIGTERM"));
        Assert.That((await other.WaitForExitAsync(Limit)).ToString(), Is.EqualTo("killed by SIGKILL"));
        one.Terminate();
    }

    [Test]
    public void A_missing_program_or_directory_is_named()
    {
        Assert.That(Assert.Throws<SpawnException>(() => Start(new SpawnInfo("/nope/program")))!.Message, Does.StartWith("exec /nope/program: "));
        Assert.That(Assert.Throws<SpawnException>(() => Start(new SpawnInfo("true") { WorkingDirectory = "/nope" }))!.Message, Does.StartWith("chdir /nope: "));
    }

    [Test]
    public void What_this_path_cannot_do_is_refused_by_name() =>
        Assert.That(Assert.Throws<SpawnException>(() => Start(new SpawnInfo("true") { NewSession = true }))!.Message, Does.StartWith("NewSession is not available on the portable path"));

    [Test]
    public async Task Standard_input_from_nowhere_ends_at_once()
    {
        await using SpawnedProcess process = Start(new SpawnInfo("cat") { StandardInput = SpawnStdio.Null, StandardOutput = SpawnStdio.Null });
        Assert.That((await process.WaitForExitAsync(Limit)).Success, Is.True);
    }
}
