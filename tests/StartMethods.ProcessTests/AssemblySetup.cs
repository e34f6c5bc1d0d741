using System.Collections.Concurrent;
using StartMethods.Channels;

// These tests start processes: one at a time, never beside each other.
[assembly: NonParallelizable]
[assembly: LevelOfParallelism(1)]

/// <summary>What the library's own thread has thrown meanwhile is nobody's test, and fails the run.</summary>
[SetUpFixture]
#pragma warning disable CA1050 // outside of any namespace, because it is for the whole assembly
public class AssemblySetup
#pragma warning restore CA1050
{
    private readonly ConcurrentQueue<Exception> _thrown = [];

    [OneTimeSetUp]
    public void Listen() => Reactor.CallbackFailed += _thrown.Enqueue;

    [OneTimeTearDown]
    public void Tell()
    {
        Reactor.CallbackFailed -= _thrown.Enqueue;
        Assert.That(_thrown, Is.Empty);
    }
}
