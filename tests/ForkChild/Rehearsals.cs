using StartMethods.Interop;

namespace StartMethods.ForkChild;

/// <summary>What a child does first has been gone through in its parent, and stays so when the runtime begins to count calls: a child binds and optimizes nothing of it.</summary>
internal static class Rehearsals
{
    internal static readonly Dictionary<string, Func<int, string?>> All = new()
    {
        ["rehearsed-exit"] = _ => Faults(WhoExits, most: 75),
        ["rehearsed-function"] = _ => Faults(WhoRunsFunction, most: 250),
    };

    private const int Children = 21;

    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(5);

    // A child takes some fifty page faults for what it must write to, and one with a function a hundred and ninety. To bind one method takes it fifty.
    private static string? Faults(Func<long> child, long most)
    {
        for (long start = Environment.TickCount64; Environment.TickCount64 - start < Settled.TotalMilliseconds;)
            child();
        long median = Enumerable.Range(0, Children).Select(_ => child()).Order().ElementAt(Children / 2);
        return median <= most ? null : $"a child takes {median} page faults";
    }

    private static long WhoExits()
    {
        int child = Posix.Fork(new ForkOptions { Policy = UnsafeForkPolicy.Allow });
        if (child == 0)
            Posix.Exit(0);
        ExitInfo info = new() { Size = (uint)System.Runtime.CompilerServices.Unsafe.SizeOf<ExitInfo>() };
        while (Native.ProcessReap(child, -1, ref info) == 0)
            Native.ProcessWait(child, -1, -1);
        return info.MinorFaults;
    }

    private static long WhoRunsFunction() => Task.Run(static async () =>
    {
        await using ChildProcess<int> child = ChildProcess.Start(static () => 42, new ChildOptions { Method = StartMethod.Fork });
        _ = await child.Result;
        await child.WaitForExitAsync();
        return child.Usage!.MinorPageFaults;
    }).GetAwaiter().GetResult();
}
