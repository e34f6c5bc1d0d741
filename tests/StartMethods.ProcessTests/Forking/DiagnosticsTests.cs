namespace StartMethods.ProcessTests.Forking;

/// <summary>dotnet-trace, dotnet-dump and debuggers go on to find a process that has forked, and to speak with it alone.</summary>
[Category("Stress")]
[CancelAfter(900_000)]
public class DiagnosticsTests : ForkProgramTests
{
    /// <summary>Fails without the forgetting of their names in the child: Environment.Exit, a crash and a SIGTERM each removed them.</summary>
    [Test]
    public async Task However_a_child_ends_the_files_by_which_tools_find_its_parent_stay() => await Fork("ForkChild", ["diagnostics-files", $"{Math.Min(300, 12 * Factor)}"]);

    /// <summary>Fails if the diagnostics server or the debugger's transport lives on in the child.</summary>
    [Test]
    public async Task Questions_to_a_process_that_has_forked_are_answered_by_it_alone() => await Fork("ForkChild", ["diagnostics-answers", $"{Math.Min(100, 3 * Factor)}"]);
}
