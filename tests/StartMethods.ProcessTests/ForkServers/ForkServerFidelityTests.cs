using System.Runtime.InteropServices;
using System.Text;
using StartMethods.Tests.Layout;

namespace StartMethods.ProcessTests.ForkServers;

/// <summary>
/// A child of a fork server is a whole runtime too: what children do (rows) under every setting that reaches them (columns), by the program ForkChild, whose server is
/// warmed by everything that makes a thread or a descriptor of the runtime's. A stress run writes docs/forkserver-fidelity.md.
/// </summary>
[Category("Stress")]
[CancelAfter(900_000)]
public class ForkServerFidelityTests : IsolatedProcessTest
{
    private const string Alone = "nothing,collect,finalizers,jit,exceptions,tasks,threads,parallel,timers,sockets,process,spin,pid,work";
    private const string Together = "signals,handled-signals,unhandled,failfast,stack-overflow,exits,console,generations,random,parked-spin";

    private static readonly int Factor = int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int factor) && factor > 0 ? factor : 1;
    private static readonly SortedDictionary<string, Dictionary<string, string>> Table = new(StringComparer.Ordinal);

    private static int Forks => Math.Min(200, 2 * Factor);

    [OneTimeSetUp]
    public void OnlyWhereThereAreForkServers()
    {
        if (StartMethod.ForkServer.UnsupportedReason is { } reason)
            Assert.Ignore(reason);
    }

    [TestCase("default", "")]
    [TestCase("no tiers", "DOTNET_TieredCompilation=0")]
    [TestCase("gen0 of 64 KB", "DOTNET_GCgen0size=10000")]
    [TestCase("GCStress=2", "DOTNET_GCStress=2")]
    public async Task A_child_of_a_fork_server_is_a_whole_runtime(string column, string setting)
    {
        string rows = Factor == 1 && setting.Length > 0 ? Alone : $"{Alone},{Together}"; // what needs both sides, in an everyday run under the default settings only
        string program = Path.Combine(AppContext.BaseDirectory.Replace("StartMethods.ProcessTests", "ForkChild"), "ForkChild.dll");
        SpawnInfo info = new("dotnet", program, rows, $"{Forks}");
        info.Environment["DOTNET_DbgEnableMiniDump"] = null;
        info.Environment["FORKCHILD_METHOD"] = "forkserver";
        info.Environment["FORKCHILD_PARENT"] = "warm";
        info.Limits[ResourceLimit.CoreSize] = 0; // crashes are rows, not findings
        if (setting.Split('=') is [string name, string value])
            info.Environment[name] = value;
        SpawnOutput output = await SpawnedProcess.RunAsync(info, new SpawnRunOptions { Timeout = TimeSpan.FromMinutes(10) }, Limit);
        Assert.That(output.ExitStatus.ToString(), Is.EqualTo("exit 0"), $"{output.Text}\n{output.Error}");
        Table[column] = output.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != ' ').ToDictionary(line => line[..line.IndexOf(':')], line => line.Split(' ')[1]);
        Assert.That(Table[column].Keys, Is.EquivalentTo(rows.Split(',')));
    }

    [OneTimeTearDown]
    public void WriteTheTable()
    {
        if (Forks < 40 || Table.Count < 4)
            return;
        StringBuilder text = new($"# What a child of a fork server can do\n\nWritten by `./build.sh stress {Factor} FullyQualifiedName~ForkServerFidelityTests`: children that were as they should be / children, "
            + $"on {RuntimeInformation.FrameworkDescription}. The settings are those of the application, which its server and so its children get too.\n\n"
            + $"|  | {string.Join(" | ", Table.Keys)} |\n|---|{string.Concat(Table.Select(_ => "---|"))}\n");
        foreach (string row in $"{Alone},{Together}".Split(','))
            text.Append($"| {row} | {string.Join(" | ", Table.Values.Select(cells => cells[row]))} |\n");
        File.WriteAllText(Path.Combine(Repository.Root, "docs", "forkserver-fidelity.md"), text.ToString());
    }
}
