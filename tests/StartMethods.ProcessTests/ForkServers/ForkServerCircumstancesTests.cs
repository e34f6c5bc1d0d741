namespace StartMethods.ProcessTests.ForkServers;

/// <summary>A child has the surroundings of the request, not those of the server's start.</summary>
public class ForkServerCircumstancesTests : ForkServerTest
{
    [Test]
    public async Task The_environment_is_that_of_the_moment_of_the_start()
    {
        const string name = "SM_TEST_LATE";
        Environment.SetEnvironmentVariable(name, "1");
        try
        {
            ChildOptions options = On(Server);
            options.Environment["SM_TEST_OPTION"] = "ä=2";
            options.Environment["PATH"] = null;
            string?[] seen = await ChildProcess.RunAsync(static () => new[]
            {
                Environment.GetEnvironmentVariable(name), Environment.GetEnvironmentVariable("SM_TEST_OPTION"), Environment.GetEnvironmentVariable("PATH"),
                Environment.GetEnvironmentVariable("DOTNET_EnableWriteXorExecute"), Environment.GetEnvironmentVariable("STARTMETHODS_CHILD"),
                Environment.GetEnvironmentVariables().Contains(name) ? "listed" : null,
            }, options, Limit);
            Assert.That(seen, Is.EqualTo(new[] { "1", "ä=2", null, null, null, "listed" }));
        }
        finally
        {
            Environment.SetEnvironmentVariable(name, null);
        }
    }

    [Test]
    public async Task Programs_that_a_child_starts_see_the_same_environment()
    {
        ChildOptions options = On(Server);
        options.Environment["SM_TEST_OPTION"] = "down";
        string text = await ChildProcess.RunAsync(static async () => (await SpawnedProcess.RunAsync("/usr/bin/env", [])).Text, options, Limit);
        Assert.That(text, Does.Contain("SM_TEST_OPTION=down").And.Not.Contain("DOTNET_EnableWriteXorExecute"));
    }

    [Test]
    public async Task The_working_directory_is_the_asked_one_or_that_of_this_process()
    {
        ChildOptions options = On(Server);
        options.WorkingDirectory = "/usr";
        Assert.That(await ChildProcess.RunAsync(static () => Directory.GetCurrentDirectory(), options, Limit), Is.EqualTo("/usr"));
        string before = Directory.GetCurrentDirectory();
        Directory.SetCurrentDirectory("/etc");
        try
        {
            Assert.That(await ChildProcess.RunAsync(static () => Directory.GetCurrentDirectory(), On(Server), Limit), Is.EqualTo("/etc"));
        }
        finally
        {
            Directory.SetCurrentDirectory(before);
        }
    }

    [Test]
    public async Task A_working_directory_that_does_not_exist_is_named_before_anything_is_forked()
    {
        ChildOptions options = On(Server);
        options.WorkingDirectory = "/nope";
        StartMethodException e = (await Assert.CatchAsync<StartMethodException>(() => ChildProcess.RunAsync(static () => 1, options, Limit)))!;
        Assert.That(e.Message, Does.Contain("/nope").And.Contain("ENOENT"));
    }

    [Test]
    public async Task Standard_streams_go_where_the_request_says()
    {
        ChildOptions options = On(Server);
        options.StandardOutput = SpawnStdio.Pipe;
        options.StandardInput = SpawnStdio.Pipe;
        await using ChildProcess child = ChildProcess.Start(static () => Console.Out.WriteLine($"got {Console.In.ReadLine()}"), options);
        await using (StreamWriter input = new(child.StandardInput!))
            await input.WriteLineAsync("this");
        using StreamReader output = new(child.StandardOutput!);
        Assert.That(await output.ReadToEndAsync(Limit), Is.EqualTo("got this\n"));
        await child.Result;
    }

    [Test]
    public async Task The_limits_and_the_file_mode_mask_are_those_of_this_process_now()
    {
        string Mask() => File.ReadAllLines("/proc/self/status").Single(line => line.StartsWith("Umask", StringComparison.Ordinal));
        string own = Mask(), limits = File.ReadAllText("/proc/self/limits");
        (string childMask, string childLimits) = await ChildProcess.RunAsync(static () =>
            (File.ReadAllLines("/proc/self/status").Single(line => line.StartsWith("Umask", StringComparison.Ordinal)), File.ReadAllText("/proc/self/limits")), On(Server), Limit);
        Assert.That(childMask, Is.EqualTo(own));
        Assert.That(childLimits, Is.EqualTo(limits));
    }

    [Test]
    public async Task A_child_has_no_descriptor_of_another_child_or_of_the_application()
    {
        using FileStream secret = File.OpenRead("/etc/hostname");
        await using ChildProcess other = ChildProcess.Start(static () => Thread.Sleep(Timeout.Infinite), On(Server));
        string[] open = await ChildProcess.RunAsync(static () => Directory.EnumerateFileSystemEntries("/proc/self/fd").Select(path => $"{Path.GetFileName(path)} {new FileInfo(path).LinkTarget}").ToArray(), On(Server), Limit);
        other.Kill();
        Assert.That(open.Where(entry => entry.Contains("/etc/hostname", StringComparison.Ordinal)), Is.Empty);
        string[] sockets = [.. open.Where(entry => entry.Contains("socket:", StringComparison.Ordinal))];
        TestContext.Out.WriteLine(string.Join('\n', open));
        Assert.That(sockets, Has.Length.LessThanOrEqualTo(2), string.Join('\n', open));
    }
}
