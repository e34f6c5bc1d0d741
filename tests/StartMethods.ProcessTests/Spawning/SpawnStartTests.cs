using System.Runtime.InteropServices;

namespace StartMethods.ProcessTests.Spawning;

public class SpawnStartTests : IsolatedProcessTest
{
    private static async Task<string> OutputOf(SpawnInfo info)
    {
        info.StandardOutput = SpawnStdio.Pipe;
        await using SpawnedProcess process = SpawnedProcess.Start(info);
        using StreamReader reader = new(process.StandardOutput!);
        string text = await reader.ReadToEndAsync();
        Assert.That((await process.WaitForExitAsync()).ToString(), Is.EqualTo("exit 0"));
        return text;
    }

    [Test]
    public async Task A_program_gets_its_arguments_environment_and_directory()
    {
        string text = await OutputOf(new SpawnInfo("sh", "-c", "printf '%s|%s|%s|' \"$0\" \"$1\" \"$NAME\"; pwd", "zero", "one two")
        {
            Environment = { ["NAME"] = "välue" },
            WorkingDirectory = "/usr",
        });
        Assert.That(text, Is.EqualTo("zero|one two|välue|/usr\n"));
    }

    [Test]
    public async Task An_exit_code_and_the_usage_are_reported()
    {
        await using SpawnedProcess process = SpawnedProcess.Start("/bin/sh", "-c", "exit 3");
        ExitStatus status = await process.WaitForExitAsync();
        Assert.That(status.ToString(), Is.EqualTo("exit 3"));
        Assert.That((process.HasExited, process.ExitStatus), Is.EqualTo((true, (ExitStatus?)status)));
        Assert.That(process.Usage!.MaxResidentBytes, Is.GreaterThan(0));
        process.Terminate();
        process.Kill();
    }

    [Test]
    public async Task A_signal_ends_a_program_and_is_named()
    {
        await using SpawnedProcess process = SpawnedProcess.Start("sleep", "100");
        Assert.That((process.HasExited, process.ExitStatus), Is.EqualTo((false, (ExitStatus?)null)));
        process.Signal((PosixSignal)9);
        Assert.That((await process.WaitForExitAsync()).ToString(), Is.EqualTo("killed by SIGKILL"));
    }

    [Test]
    public void A_missing_program_or_directory_is_named_with_its_step()
    {
        SpawnException e = Assert.Throws<SpawnException>(() => SpawnedProcess.Start("/nope/program"))!;
        Assert.That((e.Message, e.Stage, e.Path, e.ErrorName), Is.EqualTo(("exec /nope/program: ENOENT (No such file or directory)", "exec", "/nope/program", "ENOENT")));
        e = Assert.Throws<SpawnException>(() => SpawnedProcess.Start(new SpawnInfo("true") { WorkingDirectory = "/nope" }))!;
        Assert.That(e.Message, Is.EqualTo("chdir /nope: ENOENT (No such file or directory)"));
    }

    [Test]
    public async Task The_environment_is_this_process_s_as_it_is_at_the_start()
    {
        const string Script = "echo $SM_SET:$HOME";
        string home = Environment.GetEnvironmentVariable("HOME") ?? "";
        Assert.That(await OutputOf(new SpawnInfo("sh", "-c", Script)), Is.EqualTo($":{home}\n"));
        foreach (string? value in new[] { "one", "two", null })
        {
            Environment.SetEnvironmentVariable("SM_SET", value);
            Assert.That(await OutputOf(new SpawnInfo("sh", "-c", Script)), Is.EqualTo($"{value}:{home}\n"));
        }
    }
}
