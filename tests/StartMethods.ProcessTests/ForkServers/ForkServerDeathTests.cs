using System.Collections.Concurrent;
using System.Diagnostics;

namespace StartMethods.ProcessTests.ForkServers;

/// <summary>A server is no single point of failure (faults A9 to A12, B3).</summary>
public class ForkServerDeathTests : IsolatedProcessTest
{
    [Test]
    public async Task A_server_that_died_idle_is_replaced_at_the_next_start([Values(9, 15)] int signal)
    {
        await using ForkServer server = new();
        Assert.That(await ChildProcess.RunAsync(static () => 1, On(server), Limit), Is.EqualTo(1));
        int first = server.ServerProcessId!.Value;
        Kill(first, signal);
        await Eventually(() => server.ServerProcessId is null, "its death is noticed");
        Assert.That(await ChildProcess.RunAsync(static () => 2, On(server), Limit), Is.EqualTo(2));
        Assert.That(server.ServerProcessId, Is.Not.Null.And.Not.EqualTo(first));
    }

    [Test, Repeat(20)]
    public async Task A_server_that_is_asked_without_end_can_be_ended_by_a_signal_and_takes_no_child_along()
    {
        await using ForkServer server = new();
        await server.StartAsync(Limit);
        int first = server.ServerProcessId!.Value;
        bool replaced = false;
        ConcurrentQueue<Exception> failures = new();
        Thread[] threads = [.. Enumerable.Range(0, 3).Select(_ => new Thread(() =>
        {
            while (!Volatile.Read(ref replaced) && failures.IsEmpty)
            {
                try
                {
                    ChildProcess.RunAsync(static () => 1, On(server), Limit).GetAwaiter().GetResult();
                }
                catch (Exception e)
                {
                    failures.Enqueue(e);
                }
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Kill(first, 15);
        await Eventually(() => server.ServerProcessId is { } id && id != first, "another server has taken its place");
        Volatile.Write(ref replaced, true);
        Array.ForEach(threads, thread => thread.Join());
        Assert.That(failures, Is.Empty);
    }

    [Test]
    public async Task A_child_that_dies_before_its_first_word_together_with_its_server_is_known_all_the_same()
    {
        await using ForkServer server = new(new ForkServerOptions
        {
            Preload = static () =>
            {
                int serverId = Environment.ProcessId;
                // The server waits for its end, so that it cannot answer, and the child brings it.
                AtFork.Register(afterInParent: static () => Thread.Sleep(Timeout.Infinite), afterInChild: () =>
                {
                    Kill(serverId, 9);
                    Kill(Environment.ProcessId, 9);
                });
            },
        });
        await server.StartAsync(Limit);
        await using ChildProcess<int> child = ChildProcess.Start(static () => 1, On(server));
        ChildCrashedException e = (await Assert.CatchAsync<ChildCrashedException>(() => child.Result))!;
        Assert.That(e.ExitStatus.ToString(), Is.EqualTo("killed by SIGKILL"));
    }

    [Test]
    public async Task Children_go_on_and_end_with_exact_statuses_when_the_server_is_killed()
    {
        await using ForkServer server = new();
        ChildProcess<int>[] children = [.. Enumerable.Range(0, 8).Select(i => ChildProcess.Start(() =>
        {
            Thread.Sleep(300);
            return i * i;
        }, On(server)))];
        Kill(server.ServerProcessId!.Value, 9);
        for (int i = 0; i < children.Length; i++)
        {
            Assert.That(await children[i].Result, Is.EqualTo(i * i));
            Assert.That((await children[i].WaitForExitAsync(Limit)).Code, Is.Zero);
        }
    }

    [Test]
    public async Task Starts_while_the_server_is_killed_again_and_again_all_end_with_their_own_result()
    {
        await using ForkServer server = new();
        int wrong = 0, lost = 0, done = 0;
        using CancellationTokenSource over = new();
        Task killer = Task.Run(async () =>
        {
            for (int i = 0; i < 3; i++)
            {
                int before = Volatile.Read(ref done);
                while (Volatile.Read(ref done) < before + 10 && !over.IsCancellationRequested)
                    await Task.Delay(1);
                if (server.ServerProcessId is { } id)
                    Kill(id, 9);
            }
        });
        await Parallel.ForEachAsync(Enumerable.Range(0, 60), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Limit }, async (i, token) =>
        {
            try
            {
                if (await ChildProcess.RunAsync(() => i * 3, On(server), token) != i * 3)
                    Interlocked.Increment(ref wrong);
            }
            catch (StartMethodException e) when (e.Message.StartsWith("fork server '", StringComparison.Ordinal) && e.Message.Contains(" died", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref lost);
            }
            Interlocked.Increment(ref done);
        });
        await over.CancelAsync();
        await killer;
        Assert.That(wrong, Is.Zero);
        TestContext.Out.WriteLine($"{lost} starts told of the server's death");
    }

    [Test]
    public async Task A_server_that_is_killed_before_it_is_ready_is_named_as_what_it_is()
    {
        await using ForkServer server = new(new ForkServerOptions { Name = "young", Preload = static () => Thread.Sleep(Timeout.Infinite) });
        Task start = server.StartAsync(Limit);
        await Eventually(() => server.ServerProcessId is not null, "it has been started");
        int id = server.ServerProcessId!.Value;
        Kill(id, 9);
        StartMethodException e = (await Assert.ThrowsAsync<StartMethodException>(() => start))!;
        Assert.That(e.Message, Is.EqualTo($"fork server 'young' (process {id}) died before it was ready: killed by SIGKILL"));
    }

    [Test]
    public async Task A_start_whose_server_is_killed_before_it_is_ready_is_given_to_the_next()
    {
        await using ForkServer server = new(new ForkServerOptions { Preload = static () => Thread.Sleep(250) });
        Task<int> start = Task.Run(() => ChildProcess.RunAsync(static () => 5, On(server), Limit));
        await Eventually(() => server.ServerProcessId is not null, "it has been started");
        int first = server.ServerProcessId!.Value;
        Kill(first, 9);
        Assert.That(await start, Is.EqualTo(5));
        Assert.That(server.ServerProcessId, Is.Not.EqualTo(first));
    }

    [Test]
    public async Task A_killed_application_leaves_no_server_no_spare_child_and_no_child_after_two_seconds()
    {
        await using SpawnedProcess application = SpawnedProcess.Start(new SpawnInfo("dotnet", TestChild, "forkserver-application") { StandardOutput = SpawnStdio.Pipe });
        using StreamReader output = new(application.StandardOutput!);
        int[] all = [.. (await output.ReadLineAsync(Limit))!.Split(' ').Select(int.Parse)];
        Assert.That(all, Has.Length.EqualTo(5), "the server, two spare children and two others");
        Assert.That(all, Has.All.Matches<int>(Surroundings.IsAlive));
        application.Kill();
        await application.WaitForExitAsync(Limit);
        Stopwatch time = Stopwatch.StartNew();
        await Eventually(() => !all.Any(Surroundings.IsAlive), "all are gone");
        Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(2)));
    }

    [Test]
    public async Task A_server_that_does_not_answer_is_killed_when_the_start_has_timed_out()
    {
        await using ForkServer server = new();
        await server.StartAsync(Limit);
        int id = server.ServerProcessId!.Value;
        Kill(id, 19); // SIGSTOP
        ChildOptions options = On(server);
        options.StartTimeout = TimeSpan.FromMilliseconds(300);
        await Assert.CatchAsync<ChildTimeoutException>(() => ChildProcess.RunAsync(static () => 1, options, Limit));
        await Eventually(() => !Surroundings.IsAlive(id), "the stopped server is gone");
        Assert.That(await ChildProcess.RunAsync(static () => 1, On(server), Limit), Is.EqualTo(1));
    }

    [Test]
    public async Task A_server_that_dies_in_its_preload_every_time_opens_the_breaker_with_one_clear_error()
    {
        await using ForkServer server = new(new ForkServerOptions { Preload = static () => Environment.Exit(7) });
        string last = "";
        for (int i = 0; i < 8; i++)
            last = (await Assert.CatchAsync<Exception>(() => ChildProcess.RunAsync(static () => 1, On(server), Limit)))!.Message;
        Assert.That(last, Does.Contain("in a row").And.Contain("exit 7"));
    }

    [Test]
    public async Task Disposing_ends_the_server_and_leaves_children_alone()
    {
        ForkServer server = new();
        await using ChildProcess<int> child = ChildProcess.Start(static () =>
        {
            Thread.Sleep(300);
            return 5;
        }, On(server));
        int id = server.ServerProcessId!.Value;
        Stopwatch time = Stopwatch.StartNew();
        await server.DisposeAsync();
        Assert.That(Surroundings.IsAlive(id), Is.False);
        Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(2)));
        Assert.That(await child.Result, Is.EqualTo(5));
        await Assert.CatchAsync<ObjectDisposedException>(() => ChildProcess.RunAsync(static () => 1, On(server), Limit));
    }

    private static string TestChild { get; } = Path.Combine(AppContext.BaseDirectory.Replace("StartMethods.ProcessTests", "TestChild"), "TestChild.dll");

    private static ChildOptions On(StartMethod method) => new() { Method = method };

    private static void Kill(int process, int signal) => _ = StartMethods.Interop.Native.LibcKill(process, signal);
}
