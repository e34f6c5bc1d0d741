namespace StartMethods.ProcessTests.ForkServers;

/// <summary>Many starts, many deaths, many children at once. Counts are multiplied by STARTMETHODS_STRESS.</summary>
[Category("Stress")]
public class ForkServerStressTests : IsolatedProcessTest
{
    private static readonly int Factor = int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int factor) && factor > 0 ? factor : 1;

    [Test, CancelAfter(600_000)]
    public async Task Every_start_ends_with_its_own_result_or_an_error_that_names_the_death_of_the_server()
    {
        int starts = 200 * Factor, kills = Factor, wrong = 0, lost = 0, done = 0;
        await using ForkServer server = new();
        await server.StartAsync(Limit);
        await Parallel.ForEachAsync(Enumerable.Range(0, starts), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Limit }, async (i, token) =>
        {
            try
            {
                if (await ChildProcess.RunAsync(() => i * 7, new ChildOptions { Method = server }, token) != i * 7)
                    Interlocked.Increment(ref wrong);
            }
            catch (StartMethodException e) when (e.Message.Contains("died", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref lost);
            }
            if (Interlocked.Increment(ref done) % (starts / (kills + 1)) == 0 && server.ServerProcessId is { } id)
                _ = StartMethods.Interop.Native.LibcKill(id, 9);
        });
        TestContext.Out.WriteLine($"{starts} starts, {kills} kills or so: {lost} were told of the server's death");
        Assert.That(wrong, Is.Zero);
        Assert.That(done, Is.EqualTo(starts));
    }

    [Test, CancelAfter(600_000)]
    public async Task Many_children_live_at_once_and_each_answers_and_exits_with_its_own_code()
    {
        int count = Math.Min(500, 25 * Factor);
        await using ForkServer server = new();
        ChildProcess<int>[] children = [.. Enumerable.Range(0, count).Select(i => ChildProcess.Start(async token =>
        {
            await Task.Delay(Timeout.Infinite, token).ContinueWith(static _ => { }, TaskScheduler.Default);
            return i;
        }, new ChildOptions { Method = server, Grace = TimeSpan.FromMinutes(1) }))];
        Assert.That(children.Select(child => child.Id).Distinct().Count(), Is.EqualTo(count));
        foreach (ChildProcess<int> child in children)
            Assert.That(child.HasExited, Is.False);
        foreach (ChildProcess<int> child in children)
            child.Cancel();
        foreach (ChildProcess<int> child in children)
        {
            await Assert.CatchAsync<OperationCanceledException>(() => child.Result);
            Assert.That((await child.WaitForExitAsync(Limit)).Code, Is.Zero, "it answered and left in order");
        }
    }
}
