using System.Runtime.InteropServices;

namespace StartMethods.ProcessTests.Forking;

/// <summary>
/// A forked child is a whole runtime: what children do (rows) under every setting that changes what there is to repair (columns), on each runtime that
/// ./build.sh fidelity has laid out, by the programs ForkChild and ForkWeb, which fork themselves. That command also writes docs/fork-fidelity.md.
/// </summary>
[Category("Stress")]
[CancelAfter(900_000)]
public class FidelityTests : ForkProgramTests
{
    private const string Rows = "nothing,collect,finalizers,jit,tiers,exceptions,tasks,threads,parallel,timers,sockets,files,process,culture,spin,pid,work";
    private const string Scenarios = "signals,handled-signals,console,console-handlers,random,parked-spin,exits,unhandled,failfast,stack-overflow,generations";

    private static readonly (string Column, string Setting)[] Settings =
    [
        ("default", ""), ("server GC", "DOTNET_gcServer=1"), ("GC not concurrent", "DOTNET_gcConcurrent=0"), ("no tiers", "DOTNET_TieredCompilation=0"),
        ("no PGO", "DOTNET_TieredPGO=0"), ("gen0 of 64 KB", "DOTNET_GCgen0size=10000"), ("GCStress=2", "DOTNET_GCStress=2"), ("W^X off", "DOTNET_EnableWriteXorExecute=0"),
        ("diagnostics off", "DOTNET_EnableDiagnostics=0"),
    ];

    // "" is the installed runtime; the others take hours, and are meant only where that command asks for them.
    private static IEnumerable<string> Versions() =>
        Environment.GetEnvironmentVariable("STARTMETHODS_FORK_RUNTIMES") is { } versions ? versions.Split(' ') : [""];

    private static IEnumerable<TestCaseData> Cells() =>
        from runtime in Versions()
        from setting in Settings
        select new TestCaseData(runtime, setting.Column, setting.Setting);

    private static IEnumerable<TestCaseData> CellsTogether() => Factor == 1 ? Cells().Take(1) : Cells();

    /// <summary>What a child does by itself: a few forks of each.</summary>
    [TestCaseSource(nameof(Cells))]
    public async Task A_forked_child_is_a_whole_runtime(string runtime, string column, string setting)
    {
        int forks = Math.Min(200, 2 * Factor);
        string[] plain = await Fork("ForkChild", [Rows, $"{forks}"], [], [setting], runtime);
        string[] web = await Fork("ForkWeb", ["http", $"{forks}"], [], [setting], runtime);
        Record(runtime, column, "alone", [.. plain, .. web], 2 + Rows.Split(',').Length);
    }

    /// <summary>What needs both sides: signals, exits, crashes, generations. In an everyday run under the default settings only.</summary>
    [TestCaseSource(nameof(CellsTogether))]
    public async Task Signals_crashes_exits_and_generations_are_those_of_the_child_alone(string runtime, string column, string setting) =>
        Record(runtime, column, "together", await Fork("ForkChild", [Scenarios, $"{Math.Min(200, Math.Max(6, 2 * Factor))}"], [], [setting], runtime), Scenarios.Split(',').Length);

    /// <summary>Threads that hold the runtime's own locks when they are parked: fails without the repair of owners in loader heaps (a hang in about 100).</summary>
    [Test]
    public async Task Children_of_a_process_that_compiles_all_the_time_are_whole() =>
        await Fork("ForkChild", ["work", $"{Math.Min(500, 5 * Factor)}"], "FORKCHILD_PARENT=warm,jitting", "FORKCHILD_FLAGS=ReviveAll");

    /// <summary>Where no canary has shown that data in code memory may become private, the child copies all of it.</summary>
    [Test]
    public async Task Children_are_whole_where_data_in_code_memory_stays_shared_too() => await Fork("ForkChild", [Rows, $"{Math.Min(200, 2 * Factor)}"], "FORKCHILD_SHARED_DATA=1");

    /// <summary>Where everybody waits where nobody owned a lock before, owners of locks are not searched for; where one may, they are: the constructor hangs its children if they are not.</summary>
    [Test]
    public async Task Locks_are_searched_for_where_somebody_may_own_one() => await Fork("ForkChild", ["at-rest,at-rest-constructor,at-rest-late,at-rest-foreign", $"{Math.Min(100, 3 * Factor)}"]);

    [Test]
    public async Task Locks_are_searched_for_at_each_fork_where_an_application_says_so() => await Fork("ForkChild", ["at-rest-searched", "2"], "FORKCHILD_SEARCH=1");

    /// <summary>Half as many page faults again where each child binds anew what its parent has not called since the runtime began to count calls.</summary>
    [Test]
    public async Task A_child_binds_nothing_that_its_parent_has_rehearsed()
    {
        await Fork("ForkChild", ["rehearsed-exit", "1"], "FORKCHILD_PARENT=plain");
        await Fork("ForkChild", ["rehearsed-function", "1"], "FORKCHILD_PARENT=plain");
    }

    /// <summary>Such a worker is counted by the pool already: left behind, it is missed (two children of a hundred hung), and revived, it could take its copy's signal to start.</summary>
    [Test]
    public async Task A_thread_that_is_being_born_is_waited_for() => await Fork("ForkChild", ["births", $"{Math.Min(1000, 100 * Factor)}"], "DOTNET_ThreadPool_ThreadTimeoutMs=1");

    /// <summary>Random.Shared has a generator for each thread; revived, a worker of the child drew its original's numbers. Beside collections too: the generators are found in memory that moves.</summary>
    [TestCase("warm")]
    [TestCase("warm,collecting")]
    public async Task Workers_that_had_drawn_from_Random_Shared_draw_numbers_of_their_own_in_a_child(string parent) =>
        await Fork("ForkChild", ["random-workers", $"{Math.Min(300, 5 * Factor)}"], $"FORKCHILD_PARENT={parent}", "FORKCHILD_FLAGS=ReviveAll");

    /// <summary>Process ids are found although the id 1 stands everywhere.</summary>
    [Test]
    public async Task A_process_1_of_a_container_forks_too() => await Fork("ForkChild", ["work,pid,process", $"{Math.Min(100, 2 * Factor)}"], Container, []);

    /// <summary>Thread ids are as small there as any counter: fails in nine children of ten if data that merely resembles a held lock is taken for one.</summary>
    [Test]
    public async Task A_busy_process_1_of_a_container_forks_too() =>
        await Fork("ForkChild", ["work,pid,process", $"{Math.Min(100, 5 * Factor)}"], Container, ["FORKCHILD_PARENT=warm,jitting", "FORKCHILD_FLAGS=ReviveAll"]);

    private static readonly string[] Container = ["unshare", "--pid", "--fork", "--mount-proc"];

    // One file for a cell, so that a table of many hours of forks can be made in pieces: eng/fidelity.sh puts them together.
    private static void Record(string runtime, string column, string part, string[] lines, int rows)
    {
        string[] cells = [.. from line in lines where line[0] != ' ' && line.Contains(": ", StringComparison.Ordinal) select $"{line[..line.IndexOf(':', StringComparison.Ordinal)]}\t{line.Split(' ')[1]}"];
        Assert.That(cells, Has.Length.EqualTo(rows));
        string folder = Path.Combine(Path.GetDirectoryName(Runtimes)!, "fork-fidelity", runtime.Length > 0 ? runtime : RuntimeInformation.FrameworkDescription.Split(' ')[^1]);
        Directory.CreateDirectory(folder);
        File.WriteAllLines(Path.Combine(folder, $"{column}.{part}"), cells);
    }
}
