using System.Text;
using StartMethods.Tests.Layout;

namespace StartMethods.ProcessTests.Forking;

/// <summary>
/// A forked child is a whole runtime: what children do (rows) under every setting that changes what there is to repair (columns), by the
/// program ForkChild, which forks itself. A stress run forks up to 200 times a cell and writes docs/fork-fidelity.md.
/// </summary>
[Category("Stress")]
[CancelAfter(900_000)]
public class FidelityTests : IsolatedProcessTest
{
    private const string Rows = "nothing,collect,finalizers,jit,exceptions,tasks,threads,parallel,timers,sockets,process,spin,pid,work";
    private const string Scenarios = "signals,handled-signals,crashes,exits,generations,random,parked-spin";

    private static readonly int Factor = int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int factor) ? factor : 1;
    private static readonly SortedDictionary<string, Dictionary<string, string>> Table = [];

    private static string ForkChild { get; } = Path.Combine(AppContext.BaseDirectory.Replace("StartMethods.ProcessTests", "ForkChild"), "ForkChild.dll");

    private static int Forks => Math.Min(200, 2 * Factor);

    [OneTimeSetUp]
    public void OnlyWhereThisRuntimeCanBeForked()
    {
        if (StartMethod.Fork.UnsupportedReason is { } reason)
            Assert.Ignore(reason);
    }

    [TestCase("default", "")]
    [TestCase("server GC", "DOTNET_gcServer=1")]
    [TestCase("GC not concurrent", "DOTNET_gcConcurrent=0")]
    [TestCase("no tiers", "DOTNET_TieredCompilation=0")]
    [TestCase("no PGO", "DOTNET_TieredPGO=0")]
    [TestCase("gen0 of 64 KB", "DOTNET_GCgen0size=10000")]
    [TestCase("GCStress=2", "DOTNET_GCStress=2")]
    [TestCase("W^X off", "DOTNET_EnableWriteXorExecute=0")]
    [TestCase("diagnostics off", "DOTNET_EnableDiagnostics=0")]
    public async Task A_forked_child_is_a_whole_runtime(string column, string setting)
    {
        Dictionary<string, string> cells = Table[column] = [];
        foreach (string line in await Fork("warm", Rows, Forks, setting))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && line[0] != ' ')
                cells[line[..colon]] = line[(colon + 2)..line.IndexOf(' ', colon + 2)];
        }
        Assert.That(cells, Has.Count.EqualTo(Rows.Split(',').Length));
    }

    [Test]
    public async Task Signals_crashes_exits_and_generations_are_those_of_the_child_alone() => await Fork("warm", Scenarios, Math.Min(20, Factor), "");

    /// <summary>Threads that hold the runtime's own locks when they are parked: fails without the repair of owners in loader heaps (a hang in about 100).</summary>
    [Test]
    public async Task Children_of_a_process_that_compiles_all_the_time_are_whole() =>
        await Fork("warm,jitting", "work", Math.Min(500, 5 * Factor), "FORKCHILD_FLAGS=ReviveAll");

    /// <summary>Process ids are found although the id 1 stands everywhere.</summary>
    [Test]
    public async Task A_process_1_of_a_container_forks_too() => await Fork("warm", "work,pid,process", Math.Min(100, 2 * Factor), "", Container);

    /// <summary>Thread ids are as small there as any counter: fails in nine children of ten if data that merely resembles a held lock is taken for one.</summary>
    [Test]
    public async Task A_busy_process_1_of_a_container_forks_too() =>
        await Fork("warm,jitting", "work,pid,process", Math.Min(100, 5 * Factor), "FORKCHILD_FLAGS=ReviveAll", Container);

    private static readonly string[] Container = ["unshare", "--pid", "--fork", "--mount-proc"];

    private static async Task<string[]> Fork(string parent, string verbs, int count, string setting, params string[] launcher)
    {
        string[] command = [.. launcher, "dotnet", ForkChild, verbs, $"{count}"];
        SpawnInfo info = new(command[0], command[1..]);
        info.Environment["DOTNET_DbgEnableMiniDump"] = null;
        info.Environment["FORKCHILD_PARENT"] = parent;
        info.Limits[ResourceLimit.CoreSize] = 0;   // crashes are rows, not findings
        if (setting.Split('=') is [string name, string value])
            info.Environment[name] = value;
        SpawnOutput output = await SpawnedProcess.RunAsync(info, new SpawnRunOptions { Timeout = TimeSpan.FromMinutes(10) }, Limit);
        Assert.That(output.ExitStatus.ToString(), Is.EqualTo("exit 0"), $"{output.Text}\n{output.Error}");
        return output.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    [OneTimeTearDown]
    public void WriteTheTable()
    {
        if (Forks < 40 || Table.Count < 9 || Table.Values.Any(column => column.Count == 0))
            return;
        StringBuilder text = new($"# What a forked child can do\n\nWritten by `./build.sh stress {Factor} FullyQualifiedName~FidelityTests`: children that were whole / forks, "
            + $"on {System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription}.\n\n|  | {string.Join(" | ", Table.Keys)} |\n|---|{string.Concat(Table.Select(_ => "---|"))}\n");
        foreach (string row in Rows.Split(','))
            text.Append($"| {row} | {string.Join(" | ", Table.Values.Select(cells => cells[row]))} |\n");
        File.WriteAllText(Path.Combine(Repository.Root, "docs", "fork-fidelity.md"), text.ToString());
    }
}
