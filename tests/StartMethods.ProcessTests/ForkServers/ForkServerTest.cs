namespace StartMethods.ProcessTests.ForkServers;

/// <summary>The base of tests with a fork server: one for the fixture, so that its start is paid for once.</summary>
public abstract class ForkServerTest : IsolatedProcessTest
{
    protected static ForkServer Server { get; private set; } = null!;

    [OneTimeSetUp]
    public async Task StartServer()
    {
        Server = new ForkServer();
        await Server.StartAsync();
        Assert.That(Server.UnsupportedReason, Is.Null, "children must be forked, not started by exec");
    }

    [OneTimeTearDown]
    public async Task EndServer() => await Server.DisposeAsync();

    protected static ChildOptions On(StartMethod method) => new() { Method = method };
}
