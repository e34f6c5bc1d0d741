using System.Runtime.InteropServices;

namespace StartMethods.ProcessTests.ForkServers;

/// <summary>What a child of a fork server is, and that it is the application's own child.</summary>
public class ForkServerStartTests : ForkServerTest
{
    [Test]
    public async Task A_function_runs_in_a_forked_child_and_returns_its_result()
    {
        int x = 20;
        Assert.That(await ChildProcess.RunAsync(() => x + 22, On(Server), Limit), Is.EqualTo(42));
    }

    [Test]
    public async Task Children_are_children_of_this_process_and_not_of_the_server()
    {
        await using ChildProcess<int> child = ChildProcess.Start(() => ParentOf(Environment.ProcessId), On(Server));
        Assert.That(await child.Result, Is.EqualTo(Environment.ProcessId));
        Assert.That(child.Id, Is.Not.EqualTo(Server.ServerProcessId));
        Assert.That(child.Method, Is.SameAs(Server));
    }

    [Test]
    public async Task A_child_finds_its_code_bound_and_compiled()
    {
        // Each page that it touches first, or writes to, is a fault. 180 without a debugger or a profiler; 300 where the runtime has to bind what a child does and the server has not done.
        const int most = 235;
        List<long> faults = [];
        for (int i = 0; i < 30; i++)
        {
            await using ChildProcess<int> child = ChildProcess.Start(static () => 42, On(Server));
            await child.Result;
            await child.WaitForExitAsync(Limit);
            faults.Add(child.Usage!.MinorPageFaults);
        }
        faults.Sort();
        Assert.That(faults[faults.Count / 4], Is.LessThan(most), string.Join(' ', faults));
    }

    [Test]
    public async Task A_child_knows_its_own_process_id()
    {
        await using ChildProcess<int> child = ChildProcess.Start(() => Environment.ProcessId, On(Server));
        Assert.That(await child.Result, Is.EqualTo(child.Id));
    }

    [Test]
    public async Task Every_exit_code_arrives_as_it_was([Values(0, 1, 3, 127, 128, 255)] int code)
    {
        await using ChildProcess child = ChildProcess.Start(() => Environment.Exit(code), On(Server));
        ExitStatus status = await child.WaitForExitAsync(Limit);
        Assert.That(status.Code, Is.EqualTo(code));
        await Assert.CatchAsync<ChildCrashedException>(() => child.Result);
    }

    [Test]
    public async Task A_child_that_is_killed_says_by_which_signal()
    {
        await using ChildProcess child = ChildProcess.Start(() => Thread.Sleep(Timeout.Infinite), On(Server));
        await Eventually(() => child.Id > 0, "it runs");
        child.Kill();
        Assert.That((await child.WaitForExitAsync(Limit)).ToString(), Does.Contain("SIGKILL"));
        await Assert.CatchAsync<ChildCrashedException>(() => child.Result);
    }

    [Test]
    public async Task A_child_that_is_asked_to_terminate_ends_by_that_signal_and_this_process_lives_on()
    {
        await using ChildProcess child = ChildProcess.Start(() => Thread.Sleep(Timeout.Infinite), On(Server));
        await Task.Delay(100, Limit);
        child.Terminate();
        ExitStatus status = await child.WaitForExitAsync(Limit);
        Assert.That(status.Success, Is.False);
        await Assert.CatchAsync<ChildCrashedException>(() => child.Result);
    }

    [Test]
    public async Task An_exception_of_the_body_is_thrown_here_with_its_remote_stack()
    {
        InvalidOperationException thrown = (await Assert.ThrowsAsync<InvalidOperationException>(() => ChildProcess.RunAsync(static () => Fail(), On(Server), Limit)))!;
        Assert.That(thrown.Message, Does.Contain("on purpose"));
        Assert.That(thrown.ToString(), Does.Contain(nameof(Fail)));
    }

    [Test]
    public async Task Usage_is_that_of_the_child()
    {
        await using ChildProcess child = ChildProcess.Start(() => GC.KeepAlive(new byte[64 << 20].Select(b => b + 1).Max()), On(Server));
        await child.Result;
        await child.WaitForExitAsync(Limit);
        Assert.That(child.Usage, Is.Not.Null);
        Assert.That(child.Usage!.UserTime, Is.GreaterThan(TimeSpan.Zero));
    }

    [Test]
    public async Task Two_children_draw_different_random_numbers_and_identifiers()
    {
        (int, Guid, int)[] drawn = [.. await Task.WhenAll(Enumerable.Range(0, 8).Select(_ =>
            ChildProcess.RunAsync(static () => (Random.Shared.Next(), Guid.NewGuid(), System.Security.Cryptography.RandomNumberGenerator.GetInt32(int.MaxValue)), On(Server), Limit)))];
        Assert.That(drawn.Select(d => d.Item1).Distinct().Count(), Is.EqualTo(8));
        Assert.That(drawn.Select(d => d.Item2).Distinct().Count(), Is.EqualTo(8));
        Assert.That(drawn.Select(d => d.Item3).Distinct().Count(), Is.EqualTo(8));
    }

    [Test]
    public async Task Async_bodies_tasks_timers_and_threads_work()
    {
        int sum = await ChildProcess.RunAsync(static async () =>
        {
            await Task.Delay(5);
            int[] parts = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => Task.Run(() => i)));
            int extra = 0;
            Thread thread = new(() => extra = 1);
            thread.Start();
            thread.Join();
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return parts.Sum() + extra;
        }, On(Server), Limit);
        Assert.That(sum, Is.EqualTo(46));
    }

    [Test]
    public async Task A_child_has_default_signals_and_an_empty_mask()
    {
        string[] status = await ChildProcess.RunAsync(static () => File.ReadAllLines("/proc/self/status"), On(Server), Limit);
        string Of(string name) => status.Single(line => line.StartsWith(name, StringComparison.Ordinal)).Split('\t')[1];
        Assert.That(Of("SigBlk:"), Is.EqualTo("0000000000000000"));
        const ulong pipe = 1UL << 12, quit = 1UL << 2; // the runtime itself ignores SIGPIPE
        Assert.That(Convert.ToUInt64(Of("SigIgn:"), 16) & ~(pipe | quit), Is.Zero);
    }

    [Test]
    public async Task A_child_starts_a_program_and_a_socket_like_any_other_process()
    {
        string text = await ChildProcess.RunAsync(static async () =>
        {
            using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
            listener.Start();
            using var client = new System.Net.Sockets.TcpClient();
            Task<System.Net.Sockets.TcpClient> accepted = listener.AcceptTcpClientAsync();
            await client.ConnectAsync((System.Net.IPEndPoint)listener.LocalEndpoint);
            using System.Net.Sockets.TcpClient peer = await accepted;
            await client.GetStream().WriteAsync(new byte[] { 7 });
            byte[] one = new byte[1];
            await peer.GetStream().ReadExactlyAsync(one);
            SpawnOutput output = await SpawnedProcess.RunAsync("echo", ["hello"]);
            return $"{one[0]} {output.Text.Trim()}";
        }, On(Server), Limit);
        Assert.That(text, Is.EqualTo("7 hello"));
    }

    [Test]
    public async Task A_child_starts_children_of_its_own_by_a_server_of_its_own()
    {
        (int grandchild, int child) = await ChildProcess.RunAsync(static async () =>
            (await ChildProcess.RunAsync(static () => ParentOf(Environment.ProcessId), new ChildOptions { Method = StartMethod.ForkServer }), Environment.ProcessId), On(Server), Limit);
        Assert.That(grandchild, Is.EqualTo(child));
    }

    private static void Fail() => throw new InvalidOperationException("on purpose");

    private static int ParentOf(int process)
    {
        string stat = File.ReadAllText($"/proc/{process}/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1]);
    }
}
