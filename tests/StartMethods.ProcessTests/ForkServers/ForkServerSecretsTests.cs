using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace StartMethods.ProcessTests.ForkServers;

/// <summary>What one start has said to its child is nowhere in the memory of the server or of a later child (fault H5).</summary>
public class ForkServerSecretsTests : ForkServerTest
{
    private const byte Mask = 0x5A; // what looks for the secret must not hold it itself

    [TestCase(0), TestCase(2)]
    public async Task Nothing_of_an_earlier_request_is_in_the_memory_of_the_server_or_of_a_later_child(int spares)
    {
        await using ForkServer server = new(new ForkServerOptions { SpareChildren = spares });
        await server.StartAsync(Limit);
        byte[] masked = new byte[16];
        Random.Shared.NextBytes(masked);
        masked = [.. Convert.ToHexString(masked).Select(letter => (byte)(letter ^ Mask))];
        for (int i = 0; i < 3; i++)
        {
            ChildOptions options = On(server);
            string secret = Encoding.ASCII.GetString([.. masked.Select(b => (byte)(b ^ Mask))]);
            options.Environment["SM_SECRET"] = secret;
            int seen = await ChildProcess.RunAsync(() => Occurrences("self", masked) + (secret.Length == 32 ? 0 : 1000), options, Limit);
            Assert.That(seen, Is.InRange(1, 999), "the child that was told finds it in its own memory");
        }
        Assert.That(Occurrences($"{server.ServerProcessId}", masked), Is.Zero, "the server");
        for (int i = 0; i < 4; i++)
            Assert.That(await ChildProcess.RunAsync(() => Occurrences("self", masked), On(server), Limit), Is.Zero, "a later child");
    }

    /// <summary>How often the secret is in what a process can write to, in one byte or two for each letter.</summary>
    private static int Occurrences(string process, byte[] masked)
    {
        byte[] wide = [.. masked.SelectMany(b => (byte[])[b, Mask])];
        using SafeFileHandle memory = File.OpenHandle($"/proc/{process}/mem");
        byte[] block = new byte[1 << 20];
        int found = 0;
        foreach (string line in File.ReadLines($"/proc/{process}/maps"))
        {
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (!fields[1].StartsWith("rw", StringComparison.Ordinal))
                continue;
            long[] bounds = [.. fields[0].Split('-').Select(text => long.Parse(text, NumberStyles.HexNumber))];
            for (long at = bounds[0]; at < bounds[1];)
            {
                int read = Read(memory, block, at, bounds[1]);
                if (read <= 0)
                    break; // a mapping that has gone meanwhile, or cannot be read at all
                found += Count(block.AsSpan(0, read), masked) + Count(block.AsSpan(0, read), wide);
                at += read == block.Length ? read - wide.Length : read;
            }
        }
        return found;
    }

    private static int Read(SafeFileHandle memory, byte[] block, long at, long end)
    {
        try
        {
            return RandomAccess.Read(memory, block.AsSpan(0, (int)Math.Min(block.Length, end - at)), at);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    // Compares letter by letter: a buffer with the secret in it would be found by the next search.
    private static int Count(ReadOnlySpan<byte> block, byte[] masked)
    {
        int count = 0;
        for (int at; (at = block.IndexOf((byte)(masked[0] ^ Mask))) >= 0; block = block[(at + 1)..])
        {
            int same = 1;
            while (same < masked.Length && at + same < block.Length && block[at + same] == (masked[same] ^ Mask))
                same++;
            if (same == masked.Length)
                count++;
        }
        return count;
    }
}
