using System.Collections.Concurrent;

namespace StartMethods.ProcessTests.ForkServers;

/// <summary>Many starts, many deaths, many children at once. Counts are multiplied by STARTMETHODS_STRESS.</summary>
[Category("Stress")]
public class ForkServerStressTests : IsolatedProcessTest
{
    private static readonly int Factor = int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int factor) && factor > 0 ? factor : 1;

    [Test, CancelAfter(600_000)]
    public async Task Every_start_ends_with_its_own_result_or_an_error_that_names_the_death_of_the_server_and_no_memory_grows()
    {
        int starts = 200 * Factor, kills = Factor, wrong = 0, lost = 0, done = 0, killed = 0;
        ConcurrentQueue<double> memory = new(); // a sample each percent
        await using ForkServer server = new();
        await server.StartAsync(Limit);
        await Parallel.ForEachAsync(Enumerable.Range(0, starts), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Limit }, async (i, token) =>
        {
            try
            {
                if (await ChildProcess.RunAsync(() => i * 7, new ChildOptions { Method = server }, token) != i * 7)
                    Interlocked.Increment(ref wrong);
            }
            catch (StartMethodException e) when (e.Message.StartsWith("fork server '", StringComparison.Ordinal) && e.Message.Contains(" died", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref lost);
            }
            int now = Interlocked.Increment(ref done);
            if (now % (starts / (kills + 1)) == 0 && Volatile.Read(ref killed) < kills && server.ServerProcessId is { } id && StartMethods.Interop.Native.LibcKill(id, 9) == 0)
                Interlocked.Increment(ref killed);
            if (now % Math.Max(1, starts / 100) == 0)
                memory.Enqueue(GC.GetTotalMemory(forceFullCollection: true) / 1e6);
        });
        double[] samples = [.. memory];
        double early = samples[(samples.Length / 4)..(samples.Length / 2)].Average(), late = samples[(samples.Length * 3 / 4)..].Average();
        TestContext.Out.WriteLine($"{starts} starts, {killed} kills: {lost} were told of the server's death; managed memory {early:0.00} MB in the second quarter, {late:0.00} MB in the last");
        Assert.That(wrong, Is.Zero);
        Assert.That(done, Is.EqualTo(starts));
        // 1 MB for 10,000 starts, and half a megabyte for what comes and goes.
        Assert.That(late - early, Is.LessThan(0.5 + starts / 2 / 10_000.0), "growth between the second quarter of the starts and the last");
    }

    [Test, CancelAfter(600_000)]
    public async Task Signals_to_servers_and_children_end_whom_they_were_sent_to_and_nobody_else()
    {
        const int startsPerSignal = 15;
        int signals = 8 * Factor, sent = 0, done = 0, ended = 0, told = 0;
        Random random = new(20);
        ConcurrentDictionary<int, bool> live = [], signalled = [];
        ConcurrentQueue<Exception> unexplained = new();
        await using ForkServer server = new(new ForkServerOptions { SpareChildren = 2 });
        await server.StartAsync(Limit);
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            while (Volatile.Read(ref sent) < signals && unexplained.IsEmpty)
            {
                Start();
                if (Interlocked.Increment(ref done) % startsPerSignal == 0)
                    Strike();
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        TestContext.Out.WriteLine($"{done} starts, {sent} signals: {ended} children were ended by theirs, {told} starts were told of the server's death");
        Assert.That(unexplained, Is.Empty);

        void Start()
        {
            try
            {
                ChildProcess<int> child = ChildProcess.Start(static () => 3, new ChildOptions { Method = server });
                live[child.Id] = true;
                try
                {
                    int result = child.Result.GetAwaiter().GetResult();
                    string status = child.WaitForExitAsync(Limit).GetAwaiter().GetResult().ToString();
                    if (result != 3 || (status != "exit 0" && !signalled.ContainsKey(child.Id))) // it may be struck on its way out
                        throw new InvalidOperationException($"child {child.Id}: result {result}, {status}");
                }
                finally
                {
                    live.TryRemove(child.Id, out bool _);
                    child.DisposeAsync().AsTask().GetAwaiter().GetResult();
                }
            }
            catch (ChildCrashedException e) when (signalled.ContainsKey(e.ProcessId))
            {
                Interlocked.Increment(ref ended);
            }
            catch (StartMethodException e) when (e.Message.StartsWith("fork server '", StringComparison.Ordinal) && e.Message.Contains(" died", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref told);
            }
            catch (Exception e)
            {
                unexplained.Enqueue(e);
            }
        }

        void Strike()
        {
            lock (random)
            {
                int victim = random.Next(3) == 0 ? live.Keys.FirstOrDefault() : server.ServerProcessId ?? 0;
                if (victim == 0)
                    return;
                signalled[victim] = true;
                _ = StartMethods.Interop.Native.LibcKill(victim, random.Next(2) == 0 ? 9 : 15);
                sent++;
            }
        }
    }

    [Test, CancelAfter(600_000)]
    public async Task Many_children_live_at_once_and_each_answers_and_exits_with_its_own_code()
    {
        int count = Math.Min(500, 25 * Factor);
        await using ForkServer server = new();
        ChildOptions options = new() { Method = server, StandardInput = SpawnStdio.Pipe, StandardOutput = SpawnStdio.Pipe, Grace = TimeSpan.FromMinutes(1) };
        ChildProcess[] children = [.. Enumerable.Range(0, count).Select(i => ChildProcess.Start(() => Answer(i), options))];
        Assert.That(children.Select(child => child.Id).Distinct().Count(), Is.EqualTo(count));
        StreamReader[] answers = [.. children.Select(child => new StreamReader(child.StandardOutput!))];
        for (int i = 0; i < count; i++)
            Assert.That(await answers[i].ReadLineAsync(Limit), Is.EqualTo($"{i}"));
        Assert.That(children.Count(child => !child.HasExited), Is.EqualTo(count), "all of them live at once");
        foreach (ChildProcess child in children)
            child.StandardInput!.Dispose(); // now they may leave
        for (int i = 0; i < count; i++)
        {
            Assert.That((await children[i].WaitForExitAsync(Limit)).Code, Is.EqualTo(i % 256));
            await Assert.CatchAsync<ChildCrashedException>(() => children[i].Result);
            await children[i].DisposeAsync();
            answers[i].Dispose();
        }
    }

    private static void Answer(int i)
    {
        Console.WriteLine(i);
        Console.In.ReadToEnd();
        Environment.Exit(i % 256);
    }
}
