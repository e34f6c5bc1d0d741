using Microsoft.VisualStudio.TestTools.UnitTesting;
using StartMethods;

[TestClass]
public class ChildTests
{
    [TestMethod]
    public async Task A_test_runs_a_function_in_a_child()
    {
        int x = 20;
        Assert.AreEqual(21, await ChildProcess.RunAsync(() => x + 1));
        StringAssert.Contains(await ChildProcess.RunAsync(static () => AppDomain.CurrentDomain.FriendlyName), "StartMethods.WorkerHost");
    }
}
