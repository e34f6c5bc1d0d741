using System.Globalization;

namespace StartMethods.ProcessTests.ForkServers;

public class ForkServerMemoryTests : ForkServerTest
{
    [Test]
    public async Task A_server_has_its_code_on_huge_pages_where_that_is_wanted([Values] bool wanted)
    {
        await using ForkServer server = new(new ForkServerOptions { HugePages = wanted });
        Assert.That(await ChildProcess.RunAsync(static () => 42, On(server), Limit), Is.EqualTo(42));
        string setting = "/sys/kernel/mm/transparent_hugepage/enabled";
        bool possible = File.Exists(setting) && !File.ReadAllText(setting).Contains("[never]", StringComparison.Ordinal);
        Assert.That(HugeCode(server.ServerProcessId!.Value), wanted && possible ? Is.Positive : Is.Zero);
    }

    /// <summary>Fails where the runtime's threads are let go while a server waits: it has its methods count their calls then, and a child writes to 35 pages of counters.</summary>
    [Test]
    public async Task Children_of_a_server_that_has_waited_write_to_no_more_pages_than_those_before()
    {
        await using ForkServer server = new(new ForkServerOptions { HugePages = false });
        long before = await Faults(server);
        await Task.Delay(500, Limit); // five times what the runtime waits before it does that; nothing tells when it has
        Assert.That(await Faults(server), Is.LessThan(before + 15));
    }

    private static async Task<long> Faults(ForkServer server)
    {
        long least = long.MaxValue;
        for (int i = 0; i < 10; i++)
        {
            await using ChildProcess<int> child = ChildProcess.Start(static () => 42, On(server));
            await child.WaitForExitAsync(Limit);
            least = Math.Min(least, child.Usage!.MinorPageFaults);
        }
        return least;
    }

    // Kilobytes of what may be written and executed.
    private static int HugeCode(int process)
    {
        int sum = 0;
        bool isCode = false;
        foreach (string line in File.ReadLines($"/proc/{process}/smaps"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words[0][^1] != ':')
                isCode = words[1] == "rwxp";
            else if (isCode && words[0] == "AnonHugePages:")
                sum += int.Parse(words[1], CultureInfo.InvariantCulture);
        }
        return sum;
    }
}
