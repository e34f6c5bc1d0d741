using StartMethods;
using Xunit;

public class ChildTests
{
    [Fact]
    public async Task A_test_runs_a_function_in_a_child()
    {
        int x = 20;
        Assert.Equal(21, await ChildProcess.RunAsync(() => x + 1));
        Assert.Contains("StartMethods.WorkerHost", await ChildProcess.RunAsync(static () => AppDomain.CurrentDomain.FriendlyName));
    }
}
