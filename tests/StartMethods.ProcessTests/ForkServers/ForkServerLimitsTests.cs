namespace StartMethods.ProcessTests.ForkServers;

/// <summary>
/// Systems that refuse something (faults C1, C2, C6; the canary): in applications of their own, the verbs of TestChild/ForkServers, since what is taken from a process
/// would be taken from the tests.
/// </summary>
public class ForkServerLimitsTests : IsolatedProcessTest
{
    private static string TestChild { get; } = Path.Combine(AppContext.BaseDirectory.Replace("StartMethods.ProcessTests", "TestChild"), "TestChild.dll");

    [TestCase("fork", "clone(2) failed: EPERM")]
    [TestCase("signal", "failed its self-check at 'signal'")]
    public async Task Where_a_child_cannot_be_forked_or_is_not_whole_children_are_started_by_exec_and_it_is_said_once(string refused, string reason)
    {
        string[] lines = await Run("forkserver-refused", refused);
        Assert.That(lines[0], Is.EqualTo("results: 1 4 9 16"));
        Assert.That(lines[1], Is.EqualTo("status: exit 7, method: forkserver"));
        Assert.That(lines[2], Does.StartWith("reason: ").And.Contain(reason));
        Assert.That(lines[3], Does.StartWith("warned 1 times: this runtime cannot be forked").And.Contain(reason));
        Assert.That(lines[4], Is.EqualTo("server: none"));
    }

    [Test]
    public async Task Without_descriptors_a_start_fails_with_the_name_of_the_limit_and_leaves_none_open()
    {
        string[] lines = await Run("forkserver-files");
        Assert.That(lines[1..^2], Has.All.Contains("its own result").Or.All.Contains("EMFILE"));
        Assert.That(lines[1], Does.Contain("EMFILE"));
        Assert.That(lines[^2], Is.EqualTo("after it: its own result"));
        Assert.That(lines[^1], Is.EqualTo("descriptors more than before: 0"));
    }

    [Test]
    public async Task A_server_without_descriptors_refuses_and_lives_on()
    {
        string[] lines = await Run("forkserver-files-of-server");
        Assert.That(lines[0], Does.Contain("the fork server has too many open files"));
        Assert.That(lines[1..^2], Has.All.Match("its own result|EMFILE"));
        Assert.That(lines[^2], Is.EqualTo("after it: its own result"));
        Assert.That(lines[^1], Is.EqualTo("the same server: True; its descriptors: 0 more than before"));
    }

    [Test]
    public async Task A_server_that_may_make_no_process_more_says_so_and_lives_on()
    {
        string[] lines = await Run("forkserver-processes");
        Assert.That(lines[0], Does.Contain("could not fork").And.Contain("EAGAIN"));
        Assert.That(lines[1], Is.EqualTo("after it: its own result"));
        Assert.That(lines[2], Is.EqualTo("the same server: True"));
    }

    private static async Task<string[]> Run(string verb, params string[] arguments)
    {
        SpawnInfo info = new("dotnet", [TestChild, verb, .. arguments]);
        info.Environment["DOTNET_DbgEnableMiniDump"] = null;
        if (verb == "forkserver-processes" && Environment.UserName == "root")
            info.User = "nobody"; // for root there is no such limit
        SpawnOutput output = await SpawnedProcess.RunAsync(info, new SpawnRunOptions { Timeout = TimeSpan.FromSeconds(25) }, Limit);
        Assert.That(output.ExitStatus.ToString(), Is.EqualTo("exit 0"), $"{output.Text}\n{output.Error}");
        return output.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
