using System.Globalization;
using StartMethods;

namespace TestChild.Forking;

internal static partial class ForkVerbs
{
    /// <summary>64 MB of arrays, put on huge pages by a fork; the child has all of them, and both may write.</summary>
    private static string OnHugePages()
    {
        byte[][] blocks = [.. Enumerable.Range(0, 64).Select(i => Enumerable.Repeat((byte)i, 1 << 20).ToArray())];
        long before = HugeMegabytes();
        ExitStatus child = ForkAndWait(new ForkOptions { HugePages = true }, () =>
        {
            bool same = IsWhole(blocks);
            blocks[7].AsSpan().Fill(200);
            return same && blocks[7][4096] == 200 ? 0 : 1;
        });
        long gained = HugeMegabytes() - before;
        blocks[8].AsSpan().Fill(8);
        return $"{Describe(child)}, parent whole: {IsWhole(blocks)}, on huge pages: {(gained >= 48 ? "most" : gained)}";
    }

    private static bool IsWhole(byte[][] blocks)
    {
        for (int i = 0; i < blocks.Length; i++)
        {
            if (blocks[i].AsSpan().ContainsAnyExcept((byte)i))
                return false;
        }
        return true;
    }

    private static long HugeMegabytes() =>
        long.Parse(File.ReadLines("/proc/self/smaps_rollup").First(line => line.StartsWith("AnonHugePages:", StringComparison.Ordinal))["AnonHugePages:".Length..^2], CultureInfo.InvariantCulture) >> 10;
}
