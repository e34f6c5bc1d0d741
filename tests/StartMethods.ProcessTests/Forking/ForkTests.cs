namespace StartMethods.ProcessTests.Forking;

/// <summary>Programs that fork themselves: TestChild, in which only the threads live that a verb starts.</summary>
public abstract class ForkTests : IsolatedProcessTest
{
    private static string TestChild { get; } = Path.Combine(AppContext.BaseDirectory.Replace("StartMethods.ProcessTests", "TestChild"), "TestChild.dll");

    /// <summary>Runs a verb and returns what it printed.</summary>
    protected static async Task<string> Run(params string[] verb) => await Run([], verb);

    protected static async Task<string> Run(Dictionary<string, string?> environment, string[] verb)
    {
        SpawnInfo info = new("dotnet", [TestChild, .. verb]);
        // A test run that keeps crash dumps hands that setting on to its children.
        info.Environment["DOTNET_DbgEnableMiniDump"] = null;
        foreach ((string name, string? value) in environment)
            info.Environment[name] = value;
        SpawnOutput output = await SpawnedProcess.RunAsync(info, new SpawnRunOptions { Timeout = TimeSpan.FromSeconds(25) }, Limit);
        Assert.That(output.ExitStatus.ToString(), Is.EqualTo("exit 0"), $"{output.Text}\n{output.Error}");
        return output.Text.TrimEnd('\n');
    }

    [OneTimeSetUp]
    public void OnlyWhereThisRuntimeCanBeForked()
    {
        if (StartMethod.Fork.UnsupportedReason is { } reason)
            Assert.Ignore(reason);
    }
}
