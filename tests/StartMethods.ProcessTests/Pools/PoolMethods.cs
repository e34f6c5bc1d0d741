namespace StartMethods.ProcessTests;

/// <summary>Scenarios of pools under each start method.</summary>
internal static class PoolMethods
{
    internal static IEnumerable<string> All => StartMethod.Supported.Select(method => method.Name);

    /// <summary>
    /// Runs a scenario with workers of one start method. What forks is an application of its own: a test host has threads of others, which a fork could not take along. A
    /// fork server is the scenario's own too: the shared one lives as long as the application, which would be something left behind here.
    /// </summary>
    internal static async Task<T> RunAsync<T>(string method, Func<StartMethod, Task<T>> scenario, CancellationToken limit)
    {
        if (method == "fork")
            return await ChildProcess.RunAsync(() => scenario(StartMethod.Fork), new ChildOptions { Method = StartMethod.Spawn }, limit);
        await using ForkServer? server = method == "forkserver" ? new ForkServer() : null;
        return await scenario(server ?? StartMethod.Get(method));
    }
}
