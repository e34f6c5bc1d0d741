using StartMethods.ForkServers;
using StartMethods.Interop;

namespace StartMethods.ProcessTests.ForkServers;

// While starts follow one another, the next child is there before it is asked for.
public class ForkServerAheadTests : IsolatedProcessTest
{
    private static int s_loaded;
    private TimeSpan _soon, _patience;

    // However slow the machine is.
    [SetUp]
    public void TakeTime()
    {
        (_soon, _patience) = (Succession.Soon, Succession.Patience);
        (Succession.Soon, Succession.Patience) = (TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1));
    }

    [TearDown]
    public void TakeNoTime() => (Succession.Soon, Succession.Patience) = (_soon, _patience);

    [Test]
    public async Task In_a_loop_the_next_child_is_there_before_it_is_asked_for_and_gone_after_it()
    {
        await using ForkServer server = new();
        int others = Surroundings.Children().Count;
        int found = 0;
        for (int i = 0; i < MostStarts && found < 20; i++)
        {
            HashSet<int> waiting = server.IdleAhead == 1 ? [.. Surroundings.Children().Keys] : [];
            await using ChildProcess<int> child = ChildProcess.Start(x => x + 1, i, On(server));
            found += waiting.Contains(child.Id) ? 1 : 0;
            Assert.That(await child.Result, Is.EqualTo(i + 1));
            Assert.That((await child.WaitForExitAsync(Limit)).Code, Is.Zero);
            Assert.That(Surroundings.Children().Count - others, Is.LessThanOrEqualTo(2), "the server and one child");
        }
        Assert.That(found, Is.EqualTo(20));
        await Eventually(() => Surroundings.Children().Count == others + 1 && server.IdleAhead == 0, "only the server is left");
    }

    [Test]
    public async Task A_child_forked_ahead_has_the_circumstances_of_its_start()
    {
        await using ForkServer server = new();
        int checkedOnes = 0;
        for (int i = 0; i < MostStarts && checkedOnes < 20; i++)
        {
            bool waited = server.IdleAhead == 1;
            ChildOptions options = On(server);
            options.Environment["SM_LATE"] = $"{i}";
            options.WorkingDirectory = i % 2 == 0 ? "/usr" : "/";
            options.Name = $"late-{i}";
            string seen = await ChildProcess.RunAsync(
                static () => $"{Environment.GetEnvironmentVariable("SM_LATE")} {Directory.GetCurrentDirectory()} {ChildProcess.Current!.Name} {ChildProcess.Current.ParentId}", options, Limit);
            Assert.That(seen, Is.EqualTo($"{i} {(i % 2 == 0 ? "/usr" : "/")} late-{i} {Environment.ProcessId}"));
            checkedOnes += waited ? 1 : 0;
        }
        Assert.That(checkedOnes, Is.EqualTo(20));
    }

    [Test]
    public async Task A_start_that_cannot_be_leaves_the_child_that_waits_to_the_next_one()
    {
        await using ForkServer server = new();
        int others = Surroundings.Children().Count;
        await UntilOneWaits(server);
        ChildOptions nowhere = On(server);
        nowhere.WorkingDirectory = "/nonexistent";
        Assert.That(Assert.Catch<StartMethodException>(() => ChildProcess.Start(static () => 1, nowhere))!.Message, Does.Contain("/nonexistent"));
        Assert.That(await ChildProcess.RunAsync(static () => 2, On(server), Limit), Is.EqualTo(2));
        await Eventually(() => Surroundings.Children().Count == others + 1, "only the server is left");
    }

    [Test]
    public async Task An_argument_that_cannot_travel_to_a_child_that_waits_loses_nothing()
    {
        await using ForkServer server = new();
        int others = Surroundings.Children().Count;
        await UntilOneWaits(server);
        List<Microsoft.Win32.SafeHandles.SafeFileHandle> many = [.. Enumerable.Range(0, 300).Select(_ => File.OpenHandle("/dev/null"))];
        Assert.Catch<Exception>(() => ChildProcess.Start(static handles => handles.Count, many, On(server)));
        Assert.That(await ChildProcess.RunAsync(static () => 2, On(server), Limit), Is.EqualTo(2));
        many.ForEach(handle => handle.Dispose());
        await Eventually(() => Surroundings.Children().Count == others + 1, "only the server is left");
    }

    [Test]
    public async Task A_child_that_is_killed_while_it_waits_costs_no_start()
    {
        await using ForkServer server = new();
        HashSet<int> before = [.. Surroundings.Children().Keys];
        int killed = 0;
        for (int i = 0; i < MostStarts && killed < 10; i++)
        {
            if (server.IdleAhead == 1)
            {
                foreach (int id in Surroundings.Children().Keys.Except(before).Where(id => id != server.ServerProcessId))
                {
                    killed += Native.LibcKill(id, 9) == 0 ? 1 : 0;
                    SpinWait.SpinUntil(() => HasEnded(id));
                }
            }
            Assert.That(await ChildProcess.RunAsync(x => x + 1, i, On(server), Limit), Is.EqualTo(i + 1));
        }
        Assert.That(killed, Is.GreaterThanOrEqualTo(10));
        await Eventually(() => Surroundings.Children().Count == before.Count + 1, "all are reaped");

        // The whole of it: its first thread may have ended while others hold its descriptors.
        static bool HasEnded(int id)
        {
            try
            {
                return !Surroundings.IsAlive(id) && Directory.GetDirectories($"/proc/{id}/task").Length == 1;
            }
            catch (IOException)
            {
                return true;
            }
        }
    }

    [Test]
    public async Task A_server_that_is_killed_while_a_child_waits_costs_no_start()
    {
        await using ForkServer server = new();
        int others = Surroundings.Children().Count;
        for (int i = 0; i < 5; i++)
        {
            await UntilOneWaits(server);
            _ = Native.LibcKill(server.ServerProcessId!.Value, 9);
            for (int k = 0; k < 3; k++)
                Assert.That(await ChildProcess.RunAsync(x => x + 1, k, On(server), Limit), Is.EqualTo(k + 1));
        }
        await Eventually(() => Surroundings.Children().Count == others + 1, "one server is left");
    }

    [Test]
    public async Task After_a_refresh_no_child_is_of_the_old_image()
    {
        string folder = Directory.CreateTempSubdirectory("ahead").FullName, file = Path.Combine(folder, "generation");
        try
        {
            File.WriteAllText(file, "0");
            await using ForkServer server = new(new ForkServerOptions { Preload = () => s_loaded = int.Parse(File.ReadAllText(file)) });
            for (int generation = 1; generation < 4; generation++)
            {
                await UntilOneWaits(server);
                File.WriteAllText(file, $"{generation}");
                await server.RefreshAsync(Limit);
                for (int i = 0; i < 20; i++)
                    Assert.That(await ChildProcess.RunAsync(static () => s_loaded, On(server), Limit), Is.EqualTo(generation));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public async Task A_server_that_is_disposed_of_takes_the_child_that_waits_with_it()
    {
        int others = Surroundings.Children().Count;
        for (int i = 0; i < 5; i++)
        {
            ForkServer server = new();
            await UntilOneWaits(server);
            await server.DisposeAsync();
            Assert.That(Surroundings.Children(), Has.Count.EqualTo(others));
        }
    }

    [Test]
    public async Task A_server_that_is_disposed_of_takes_the_child_that_is_on_its_way_with_it()
    {
        int others = Surroundings.Children().Count;
        for (int i = 0; i < 20; i++)
        {
            ForkServer server = new();
            await UntilOneWaits(server);
            ChildProcess child = ChildProcess.Start(static () => 1, On(server)); // with which the next one is asked for
            Task disposed = server.DisposeAsync().AsTask();
            await child.WaitForExitAsync(Limit);
            await disposed;
            Assert.That(Surroundings.Children(), Has.Count.EqualTo(others), $"in round {i}");
            await child.DisposeAsync();
        }
    }

    [Test]
    public async Task Nothing_is_forked_ahead_where_that_is_not_wanted_or_the_preload_has_left_threads_or_hooks()
    {
        await using ForkServer unwanted = new(new ForkServerOptions { ForksAhead = false });
        await using ForkServer restless = new(new ForkServerOptions { Preload = static () => new Thread(static () => Thread.Sleep(Timeout.Infinite)) { IsBackground = true, Name = "left behind" }.Start() });
        await using ForkServer hooked = new(new ForkServerOptions { Preload = static () => AtFork.Register(afterInChild: static () => s_loaded++) });
        restless.Warning += static (_, _) => { };
        foreach (ForkServer server in (ForkServer[])[unwanted, restless, hooked])
        {
            for (int i = 0; i < 40; i++)
            {
                Assert.That(await ChildProcess.RunAsync(x => x + 1, i, On(server), Limit), Is.EqualTo(i + 1));
                Assert.That(server.IdleAhead, Is.Zero);
            }
        }
    }

    private const int MostStarts = 5000;

    private static async Task UntilOneWaits(ForkServer server)
    {
        for (int i = 0; i <= Succession.Row || (i < MostStarts && server.IdleAhead == 0); i++)
            Assert.That(await ChildProcess.RunAsync(static () => 42, On(server), Limit), Is.EqualTo(42));
        Assert.That(server.IdleAhead, Is.EqualTo(1));
    }

    private static ChildOptions On(StartMethod method) => new() { Method = method };
}
