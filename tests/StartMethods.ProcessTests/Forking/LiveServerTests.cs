namespace StartMethods.ProcessTests.Forking;

/// <summary>
/// A web server is forked while clients saturate it (the program ForkWeb): children are whole, and no client sees an error. What it costs is in its output: a figure
/// for a machine that does nothing else, so it is no assertion.
/// </summary>
[Category("Stress")]
[CancelAfter(900_000)]
public class LiveServerTests : ForkProgramTests
{
    [TestCase(16)]
    [TestCase(256)]
    public async Task Clients_of_a_server_that_is_forked_under_load_see_no_error_and_every_child_is_whole(int connections) =>
        TestContext.Out.WriteLine(string.Join('\n', await Fork("ForkWeb", ["live", "work", $"{Math.Min(1000, 5 * Factor)}", $"{connections}", "200"])));
}
