using StartMethods.Interop;

namespace StartMethods.ProcessTests.ForkServers;

public class ForkServerSparesTests : IsolatedProcessTest
{
    private static readonly int Factor = int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int factor) && factor > 0 ? factor : 1;

    [Test]
    public async Task A_spare_child_is_handed_over_and_replaced_and_there_are_never_more_than_asked_for()
    {
        const int spares = 3;
        await using ForkServer server = new(new ForkServerOptions { SpareChildren = spares });
        int others = Surroundings.Children().Count;
        await server.StartAsync(Limit);
        await Eventually(() => Spares() == spares, "three spare children wait");
        HashSet<int> waiting = [.. Surroundings.Children().Keys];
        for (int i = 0; i < 15; i++)
        {
            await using ChildProcess<int> child = ChildProcess.Start(() => i, On(server));
            if (i == 0)
                Assert.That(waiting, Does.Contain(child.Id), "it was there before it was asked for");
            Assert.That(await child.Result, Is.EqualTo(i));
            await child.WaitForExitAsync(Limit);
            Assert.That(Spares(), Is.LessThanOrEqualTo(spares));
        }

        int Spares() => Surroundings.Children().Count - 1 - others + (server.ServerProcessId is null ? 1 : 0);
    }

    [Test]
    public async Task A_start_that_cannot_be_leaves_no_spare_child_behind_that_nobody_knows()
    {
        await using ForkServer server = new(new ForkServerOptions { SpareChildren = 1 });
        int others = Surroundings.Children().Count;
        await server.StartAsync(Limit);
        for (int i = 0; i < 5; i++)
        {
            await Eventually(() => Surroundings.Children().Count == others + 2, "a spare child waits");
            ChildOptions nowhere = On(server);
            nowhere.WorkingDirectory = "/nonexistent";
            Assert.Catch<StartMethodException>(() => ChildProcess.Start(static () => 1, nowhere));
        }
        await server.RefreshAsync(cancellationToken: Limit);
        await Eventually(() => Surroundings.Children().Count == others + 2, "a new server and its spare child are all there is");
        Assert.That(await ChildProcess.RunAsync(static () => 2, On(server), Limit), Is.EqualTo(2));
    }

    [Test]
    public async Task A_spare_child_gets_the_circumstances_of_its_start()
    {
        await using ForkServer server = new(new ForkServerOptions { SpareChildren = 1 });
        int others = Surroundings.Children().Count;
        await server.StartAsync(Limit);
        await Eventually(() => Surroundings.Children().Count == others + 2, "a spare child waits");
        ChildOptions options = On(server);
        options.Environment["SM_LATE"] = "yes";
        options.WorkingDirectory = "/usr";
        string seen = await ChildProcess.RunAsync(static () => $"{Environment.GetEnvironmentVariable("SM_LATE")} {Directory.GetCurrentDirectory()}", options, Limit);
        Assert.That(seen, Is.EqualTo("yes /usr"));
    }

    [Test]
    public async Task Spare_children_that_were_killed_are_passed_over()
    {
        await using ForkServer server = new(new ForkServerOptions { SpareChildren = 2 });
        HashSet<int> others = [.. Surroundings.Children().Keys];
        await server.StartAsync(Limit);
        int[] Spares() => [.. Surroundings.Children().Keys.Where(id => id != server.ServerProcessId && !others.Contains(id))];
        await Eventually(() => Spares().Length == 2, "they wait");
        foreach (int id in Spares())
            _ = Native.LibcKill(id, 9);
        await Eventually(() => Spares().Length == 0, "they are reaped");
        Assert.That(await ChildProcess.RunAsync(static () => 8, On(server), Limit), Is.EqualTo(8));
    }

    [Test]
    public async Task What_has_changed_since_a_spare_child_was_made_ready_is_there_at_its_start()
    {
        await using ForkServer server = await Filled(1);
        string before = Directory.GetCurrentDirectory();
        Environment.SetEnvironmentVariable("SM_LATE", "set");
        Directory.SetCurrentDirectory("/usr");
        try
        {
            (string? late, string directory) = await ChildProcess.RunAsync(static () => (Environment.GetEnvironmentVariable("SM_LATE"), Directory.GetCurrentDirectory()), On(server), Limit);
            Assert.That((late, directory), Is.EqualTo(("set", "/usr")));
        }
        finally
        {
            Directory.SetCurrentDirectory(before);
            Environment.SetEnvironmentVariable("SM_LATE", null);
        }
        // The next ones were made ready before this was undone, or after it.
        for (int i = 0; i < 5; i++)
        {
            await Eventually(() => server.IdleSpares == 1, "a spare child waits");
            Assert.That(await ChildProcess.RunAsync(static () => (Environment.GetEnvironmentVariable("SM_LATE"), Directory.GetCurrentDirectory()), On(server), Limit), Is.EqualTo(((string?)null, before)));
        }
    }

    [Test]
    public async Task A_job_that_does_not_leave_at_once_is_followed_by_the_circumstances([Values] bool changed)
    {
        HashSet<int> others = [.. Surroundings.Children().Keys];
        await using ForkServer server = await Filled(1);
        int id = Surroundings.Children().Keys.Single(child => child != server.ServerProcessId && !others.Contains(child));
        byte[] large = new byte[8 << 20];
        large[^1] = 7;
        ChildOptions options = On(server);
        if (changed)
            options.Environment["SM_LATE"] = "yes";
        await using ChildProcess<string> child = ChildProcess.Start(bytes => $"{bytes.Length} {bytes[^1]} {Environment.GetEnvironmentVariable("SM_LATE")}", large, options);
        Assert.That(await child.Result, Is.EqualTo($"{8 << 20} 7 {(changed ? "yes" : "")}"));
        Assert.That(child.Id, Is.EqualTo(id), "the spare child");
    }

    [Test]
    public async Task Circumstances_that_come_late_are_not_taken_for_something_that_is_said_to_the_body()
    {
        const int count = 20_000; // some ten milliseconds to put together, after the job has left
        await using ForkServer server = await Filled(1);
        for (int i = 0; i < 5; i++)
        {
            await Eventually(() => server.IdleSpares == 1, "a spare child waits");
            ChildOptions options = On(server);
            for (int variable = 0; variable < count; variable++)
                options.Environment[$"SM_LATE_{variable}"] = "x";
            Assert.That(await ChildProcess.RunAsync(static () => Environment.GetEnvironmentVariables().Keys.Cast<string>().Count(name => name.StartsWith("SM_LATE_", StringComparison.Ordinal)), options, Limit), Is.EqualTo(count));
        }
    }

    [Test]
    public async Task A_job_is_sent_once_more_where_the_spare_child_has_died()
    {
        HashSet<int> others = [.. Surroundings.Children().Keys];
        await using ForkServer server = await Filled(3);
        for (int i = 0; i < 10; i++)
        {
            await Eventually(() => server.IdleSpares == 3, "spare children wait");
            foreach (int id in Surroundings.Children().Keys.Where(child => child != server.ServerProcessId && !others.Contains(child)))
                _ = Native.LibcKill(id, 9); // not reaped yet, perhaps not even dead
            string text = $"text {i}";
            using CancellationTokenSource limit = new(TimeSpan.FromSeconds(5));
            try
            {
                Assert.That(await ChildProcess.RunAsync(() => text + "!", On(server), limit.Token), Is.EqualTo(text + "!"));
            }
            catch (ChildCrashedException e)
            {
                Assert.That(e.Stage, Is.AnyOf(ChildStage.Starting, ChildStage.Receiving), "it was told everything, and died of the signal only then");
            }
        }
    }

    [Test]
    public async Task Options_of_the_start_reach_a_spare_child()
    {
        await using ForkServer server = await Filled(1);
        ChildOptions options = On(server);
        (options.Name, options.StandardOutput, options.StandardInput, options.ClearEnvironment) = ("odd", SpawnStdio.Pipe, SpawnStdio.Pipe, true);
        await using ChildProcess<string> child = ChildProcess.Start(static () =>
        {
            Console.Out.Write("out");
            return $"{ChildProcess.Current!.Name} {Console.In.ReadToEnd()} {Environment.GetEnvironmentVariable("PATH")}";
        }, options);
        await child.StandardInput!.WriteAsync("in"u8.ToArray());
        child.StandardInput.Dispose();
        Assert.That(await child.Result, Is.EqualTo("odd in "));
        using StreamReader output = new(child.StandardOutput!);
        Assert.That(await output.ReadToEndAsync(), Is.EqualTo("out"));
    }

    [Test]
    public async Task What_a_spare_child_says_before_it_crashes_is_in_the_report()
    {
        await using ForkServer server = await Filled(1);
        ChildCrashedException? crash = null;
        try
        {
            await ChildProcess.RunAsync(static () => Environment.FailFast("the reason"), On(server), Limit);
        }
        catch (ChildCrashedException e)
        {
            crash = e;
        }
        Assert.That(crash, Is.Not.Null);
        Assert.That(crash!.Stage, Is.EqualTo(ChildStage.Running));
        Assert.That(crash.StandardError, Does.Contain("the reason"));
    }

    [Test, Category("Stress"), CancelAfter(300_000)]
    public async Task A_spare_child_that_is_killed_at_any_moment_of_its_youth_loses_no_start()
    {
        await using ForkServer server = new(new ForkServerOptions { SpareChildren = 1 });
        HashSet<int> others = [.. Surroundings.Children().Keys];
        await server.StartAsync(Limit);
        // From its birth, through its rehearsal, to when it waits: some 3 ms.
        for (int i = 0; i < 30 * Factor; i++)
        {
            int[] young = [];
            await Eventually(() => (young = [.. Surroundings.Children().Keys.Where(id => id != server.ServerProcessId && !others.Contains(id))]).Length > 0, "a spare child is born");
            Thread.SpinWait(i % 30 * 3000);
            foreach (int id in young)
                _ = Native.LibcKill(id, 9);
            await Eventually(() => !Surroundings.Children().Keys.Intersect(young).Any(), "it is reaped");
            Assert.That(await ChildProcess.RunAsync(x => x + 1, i, On(server), Limit), Is.EqualTo(i + 1));
        }
    }

    [Test, Category("Stress"), CancelAfter(300_000)]
    public async Task A_spare_child_can_be_taken_as_soon_as_it_is_there()
    {
        await using ForkServer server = new(new ForkServerOptions { SpareChildren = 1 });
        int others = Surroundings.Children().Count;
        await server.StartAsync(Limit);
        for (int i = 0; i < 30 * Factor; i++)
        {
            SpinWait.SpinUntil(() => server.IdleSpares == 1 || Surroundings.Children().Count > others + 1, TimeSpan.FromSeconds(10));
            Assert.That(await ChildProcess.RunAsync(x => x + 1, i, On(server), Limit), Is.EqualTo(i + 1));
        }
    }

    [Test, Category("Stress"), CancelAfter(300_000)]
    public async Task More_starts_than_there_are_spare_children_are_served_and_no_more_than_asked_for_are_left()
    {
        const int spares = 3;
        await using ForkServer server = await Filled(spares);
        for (int round = 0; round < 3 * Factor; round++)
        {
            int[] results = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Task.Run(() => ChildProcess.RunAsync(x => x * x, i, On(server), Limit))));
            Assert.That(results, Is.EqualTo(Enumerable.Range(0, 12).Select(i => i * i)));
            await Eventually(() => server.IdleSpares == spares, "all that were taken are replaced");
        }
    }

    private static readonly AsyncLocal<string?> Ambient = new();
    [ThreadStatic] private static int t_calls;

    [Test]
    public async Task A_body_sees_nothing_of_the_rehearsal()
    {
        await using ForkServer server = await Filled(2);
        HashSet<int> drawn = [];
        for (int i = 0; i < 4; i++)
        {
            await Eventually(() => server.IdleSpares == 2, "both wait");
            ChildOptions options = On(server);
            options.Name = $"body-{i}";
            await using ChildProcess<string> child = ChildProcess.Start(static () =>
            {
                string seen = $"{ChildProcess.Current!.Name} {ChildProcess.Current.ParentId} {Environment.ProcessId} {Ambient.Value ?? "none"} {++t_calls} {Environment.ExitCode} {ChildProcess.Active.Count} "
                    + $"{SynchronizationContext.Current is null} {Thread.CurrentThread.IsThreadPoolThread} {Random.Shared.Next()}";
                Ambient.Value = "mine";
                return seen;
            }, options);
            string[] seen = (await child.Result).Split(' ');
            Assert.That(seen[..^1], Is.EqualTo(new[] { $"body-{i}", $"{Environment.ProcessId}", $"{child.Id}", "none", "1", "0", "0", "True", "False" }));
            Assert.That(drawn.Add(int.Parse(seen[^1])), Is.True, "each has numbers of its own");
            Assert.That((await child.WaitForExitAsync(Limit)).Code, Is.Zero);
        }
    }

    [Test]
    public async Task A_spare_child_hears_its_parent_while_its_body_runs()
    {
        await using ForkServer server = await Filled(1);
        await using ChildProcess child = ChildProcess.Start(static (CancellationToken token) => token.WaitHandle.WaitOne(), On(server));
        child.Cancel();
        Assert.That((await child.WaitForExitAsync(Limit)).Code, Is.Zero, "by its token, not by a signal");
    }

    private static async Task<ForkServer> Filled(int spares)
    {
        ForkServer server = new(new ForkServerOptions { SpareChildren = spares });
        await server.StartAsync(Limit);
        await Eventually(() => server.IdleSpares == spares, "spare children wait");
        return server;
    }

    private static ChildOptions On(StartMethod method) => new() { Method = method };
}
