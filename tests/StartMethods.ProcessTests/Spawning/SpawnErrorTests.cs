namespace StartMethods.ProcessTests.Spawning;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public class SpawnErrorTests : IsolatedProcessTest
{
    private static string NewFile(string content, UnixFileMode mode)
    {
        string path = Path.Combine(Path.GetTempPath(), $"sm-error-{Guid.NewGuid():N}");
        File.WriteAllText(path, content);
        File.SetUnixFileMode(path, mode);
        return path;
    }

    private static SpawnException Fails(SpawnInfo info) => Assert.Throws<SpawnException>(() => SpawnedProcess.Start(info))!;

    [Test]
    public void A_file_that_may_not_be_executed_says_so()
    {
        string path = NewFile("#!/bin/sh\n", UnixFileMode.UserRead);
        Assert.That(Fails(new SpawnInfo(path)).ErrorName, Is.EqualTo("EACCES"));
        File.Delete(path);
    }

    [Test]
    public void A_file_that_is_no_program_says_so()
    {
        string path = NewFile("just text", UnixFileMode.UserRead | UnixFileMode.UserExecute);
        SpawnException e = Fails(new SpawnInfo(path));
        Assert.That(e.Message, Is.EqualTo($"exec {path}: ENOEXEC (Exec format error). It is neither a program of this machine nor a script that begins with #!"));
        File.Delete(path);
    }

    [Test]
    public void A_script_without_its_interpreter_says_so()
    {
        string path = NewFile("#!/nope/interpreter\n", UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Assert.That(Fails(new SpawnInfo(path)).Message, Does.EndWith("The file exists: the interpreter or dynamic loader that it names does not"));
        File.Delete(path);
    }

    [Test]
    public void A_file_that_is_being_written_is_busy_in_the_end()
    {
        string path = NewFile("", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using (FileStream writer = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            File.OpenRead("/bin/true").CopyTo(writer);
            writer.Flush();
            Assert.That(Fails(new SpawnInfo(path)).ErrorName, Is.EqualTo("ETXTBSY"));
        }
        File.Delete(path);
    }

    [Test]
    public void A_start_that_hangs_is_ended_after_its_time()
    {
        // A busy file is tried again for 127 ms: time enough to be too late.
        string path = NewFile("", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using (FileStream writer = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            File.OpenRead("/bin/true").CopyTo(writer);
            writer.Flush();
            foreach (bool die in new[] { false, true })
            {
                SpawnException e = Fails(new SpawnInfo(path) { StartTimeout = TimeSpan.FromMilliseconds(20), KillOnParentExit = die });
                Assert.That(e.Message, Is.EqualTo($"exec {path}: the program was not running after 0.02 s, and the start was ended"));
            }
        }
        File.Delete(path);
        Assert.That(SpawnedProcess.Start(new SpawnInfo("true") { StartTimeout = TimeSpan.FromSeconds(20) }).WaitForExit().Success, Is.True);
    }

    [Test]
    public void Arguments_that_are_too_long_say_so() => Assert.That(Fails(new SpawnInfo("true", new string('x', 3_000_000))).ErrorName, Is.EqualTo("E2BIG"));

    [Test]
    public void A_loop_of_links_says_so()
    {
        string path = Path.Combine(Path.GetTempPath(), $"sm-loop-{Guid.NewGuid():N}");
        File.CreateSymbolicLink(path, path);
        Assert.That(Fails(new SpawnInfo(path)).ErrorName, Is.EqualTo("ELOOP"));
        File.Delete(path);
    }

    [Test]
    public void A_directory_that_is_none_says_so()
    {
        Assert.That(Fails(new SpawnInfo("true") { WorkingDirectory = "/etc/passwd" }).Message, Is.EqualTo("chdir /etc/passwd: ENOTDIR (Not a directory)"));
        Assert.That(Fails(new SpawnInfo("/etc/passwd/x")).ErrorName, Is.EqualTo("ENOTDIR"));
    }

    [Test]
    public void A_NUL_character_is_refused_wherever_it_is() => Assert.Multiple(() =>
    {
        Assert.Throws<ArgumentException>(() => SpawnedProcess.Start("tr\0ue"));
        Assert.Throws<ArgumentException>(() => SpawnedProcess.Start("true", "a\0b"));
        Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { Argument0 = "a\0b" }));
        Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { WorkingDirectory = "/\0" }));
        Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { Environment = { ["A"] = "\0" } }));
        Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { Environment = { ["A\0"] = "" } }));
        Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { Environment = { ["A=B"] = "" } }));
        Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { Environment = { [""] = "" } }));
        Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(""));
        Assert.Throws<System.Text.EncoderFallbackException>(() => SpawnedProcess.Start("true", "\ud800"));
    });

    [Test]
    public async Task An_empty_argument_arrives_empty() =>
        Assert.That((await SpawnedProcess.RunAsync("sh", ["-c", "echo $#:$1:$2", "x", "", "b"], cancellationToken: Limit)).Text, Is.EqualTo("2::b\n"));

    [Test]
    public async Task A_user_without_another_process_gets_a_clear_error()
    {
        if (Environment.UserName != "root")
            Assert.Ignore("needs root, to become a user whose limit counts");
        // The limit counts for other users than root only, so a shell of such a user is the one that fails; the library's own attempt is tested in C.
        SpawnInfo info = new("/bin/sh", "-c", "/bin/true; echo $?") { User = "61235", Group = "61235", Limits = { [ResourceLimit.Processes] = 1 } };
        SpawnOutput output = await SpawnedProcess.RunAsync(info, cancellationToken: Limit);
        Assert.That(output.Error, Does.Contain("annot fork"));
    }
}
