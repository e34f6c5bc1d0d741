using System.Diagnostics;
using StartMethods;

/// <summary>What a process makes once and keeps (the reactor's epoll instance, /dev/null) is made before the first test looks for leaks.</summary>
[SetUpFixture]
public class WarmUp
{
    [OneTimeSetUp]
    public async Task StartOneProgram()
    {
        SpawnInfo info = new("true") { StandardInput = SpawnStdio.Null, StandardOutput = SpawnStdio.Null };
        await using SpawnedProcess process = SpawnedProcess.Start(info);
        await process.WaitForExitAsync();
        using Process other = Process.Start("true"); // the runtime's signal handling
        await other.WaitForExitAsync();
        // Everybody's fork server, the default method where it works, stays for all tests.
        if (StartMethod.Default is ForkServer server)
            await server.StartAsync();
    }

    [OneTimeTearDown]
    public async Task EndForkServer() => await ((ForkServer)StartMethod.ForkServer).DisposeAsync();
}
