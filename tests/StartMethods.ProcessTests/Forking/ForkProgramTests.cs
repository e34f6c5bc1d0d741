using StartMethods.Tests.Layout;

namespace StartMethods.ProcessTests.Forking;

/// <summary>Runs the programs that fork themselves again and again (ForkChild, ForkWeb) and say whether every child was whole; counts scale with STARTMETHODS_STRESS.</summary>
public abstract class ForkProgramTests : IsolatedProcessTest
{
    private protected static readonly int Factor = int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int factor) ? factor : 1;

    /// <summary>Where ./build.sh fidelity puts the programs with runtimes of their own: a folder for each version.</summary>
    private protected static string Runtimes { get; } = Path.Combine(Repository.Root, "artifacts", "fork-runtimes");

    [OneTimeSetUp]
    public void OnlyWhereThisRuntimeCanBeForked()
    {
        if (StartMethod.Fork.UnsupportedReason is { } reason)
            Assert.Ignore(reason);
    }

    private protected static Task<string[]> Fork(string program, string[] arguments, params string[] settings) => Fork(program, arguments, [], settings);

    /// <summary>Runs a program under settings (NAME=value), through a launcher; returns the lines that it printed.</summary>
    private protected static async Task<string[]> Fork(string program, string[] arguments, string[] launcher, string[] settings, string runtime = "")
    {
        string[] start = runtime.Length > 0 ? [Path.Combine(Runtimes, runtime, program, program)]
            : ["dotnet", Path.Combine(AppContext.BaseDirectory.Replace("StartMethods.ProcessTests", program), program + ".dll")];
        string[] command = [.. launcher, .. start, .. arguments];
        SpawnInfo info = new(command[0], command[1..]);
        info.Environment["DOTNET_DbgEnableMiniDump"] = null;
        info.Environment["FORKCHILD_PARENT"] = "warm";
        info.Limits[ResourceLimit.CoreSize] = 0;   // crashes are rows, not findings
        foreach (string setting in settings)
            if (setting.Split('=') is [string name, string value])
                info.Environment[name] = value;
        SpawnOutput output = await SpawnedProcess.RunAsync(info, new SpawnRunOptions { Timeout = TimeSpan.FromMinutes(12) }, Limit);
        Assert.That(output.ExitStatus.ToString(), Is.EqualTo("exit 0"), $"{output.Text}\n{output.Error}");
        return output.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
