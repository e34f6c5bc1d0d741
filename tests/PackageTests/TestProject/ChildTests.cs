using NUnit.Framework;
using StartMethods;

public class ChildTests
{
    [Test]
    public async Task A_test_runs_a_function_in_a_child()
    {
        int x = 20;
        Assert.That(await ChildProcess.RunAsync(() => x + 1), Is.EqualTo(21));
        Assert.That(await ChildProcess.RunAsync(static () => AppDomain.CurrentDomain.FriendlyName), Does.Contain("StartMethods.WorkerHost"));
    }
}
