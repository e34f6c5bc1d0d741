using StartMethods.Interop;

namespace StartMethods.ProcessTests.ForkServers;

public class ForkServerSparesTests : IsolatedProcessTest
{
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

    private static ChildOptions On(StartMethod method) => new() { Method = method };
}
