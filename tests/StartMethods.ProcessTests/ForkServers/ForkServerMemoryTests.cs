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
