using System.Diagnostics;
using System.Runtime.InteropServices;

namespace StartMethods.ForkChild;

/// <summary>Very many forks of one process: does anything stay behind in the parent, and is it itself afterwards?</summary>
internal static class Endurance
{
    private sealed record State(string[] Descriptors, int Mappings, int Threads, long Kilobytes, long Managed)
    {
        internal static State Now()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);   // gives back what only garbage was in
            string[] status = File.ReadAllLines("/proc/self/status");
            int Value(string name) => int.Parse(status.First(line => line.StartsWith(name, StringComparison.Ordinal)).Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1]);
            return new(OpenDescriptors(), File.ReadLines("/proc/self/maps").Count(), Value("Threads:"), Value("VmRSS:") - GC.GetGCMemoryInfo().TotalCommittedBytes / 1024, GC.GetTotalMemory(true) / 1024);
        }
    }

    // What each refers to, without the inode: "socket:", "/dev/null", "anon_inode:[pidfd]".
    private static string[] OpenDescriptors() =>
        [.. from link in Directory.GetFileSystemEntries("/proc/self/fd")
            let target = new FileInfo(link).LinkTarget
            where target is not null && !target.StartsWith("/proc/", StringComparison.Ordinal)
            select target.Contains(":[", StringComparison.Ordinal) && !target.StartsWith("anon", StringComparison.Ordinal) ? target[..target.IndexOf(':', StringComparison.Ordinal)] : target];

    internal static int Run(int count)
    {
        List<string> wrong = [];
        int early = Math.Max(1, count / 5);   // by then what is made once has been made
        State before = null!;
        long[] memory = [0, 0];               // on the way: at the end the collector itself takes up to eight megabytes for a moment, however many forks there were
        for (int i = 0; i < count && wrong.Count == 0; i++)
        {
            if (i == early)
                before = State.Now();
            else if (i == 2 * early || i == 4 * early)
                memory[i / early / 4] = State.Now().Kilobytes;
            if (ForkLoop.One(i % 100 == 99 ? Verbs.All["work"] : () => 0, TimeSpan.FromSeconds(20), out _) is { } bad)
                wrong.Add($"fork {i}: {bad}");
        }
        before ??= State.Now();
        State after = State.Now();
        int status = 0;
        if (WaitPid(-1, ref status, NoHang | All) >= 0)
            wrong.Add("a child was left behind");
        string[] more = [.. after.Descriptors.CountBy(d => d).Where(d => d.Value > before.Descriptors.Count(b => b == d.Key)).Select(d => $"{d.Value} × {d.Key}")];
        if (after.Descriptors.Length > before.Descriptors.Length + Slack)
            wrong.Add($"descriptors: {string.Join(", ", more)}");
        if (after.Mappings > before.Mappings + 20)
            wrong.Add("mappings");
        if (after.Threads > before.Threads + 2)   // the pool's own
            wrong.Add("threads");
        if (memory[1] > memory[0] + Math.Clamp(8 * 1024 * 1000L / count, 1024, 8 * 1024))   // a kilobyte of each fork would be four thousand of ten thousand forks
            wrong.Add("memory");
        if (!IsWell())
            wrong.Add("the parent itself");
        Console.WriteLine($"endurance: {count}/{count} forks, from the {early}th on: descriptors {before.Descriptors.Length} to {after.Descriptors.Length}, mappings {before.Mappings} to {after.Mappings}, "
            + $"threads {before.Threads} to {after.Threads}, resident beside the GC heap {memory[0]} to {memory[1]} KB from two fifths to four (managed {before.Managed} to {after.Managed}){string.Concat(wrong.Select(w => $"\n  {w}"))}");
        return wrong.Count;
    }

    /// <summary>Collections beside a tight loop, the pool, timers, child processes and signals, in the parent.</summary>
    private static bool IsWell()
    {
        using ManualResetEventSlim handled = new();
        using PosixSignalRegistration registration = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            handled.Set();
        });
        _ = Kill(Environment.ProcessId, 1);
        return Verbs.All["work"]() == 0 && Verbs.All["timers"]() == 0 && Verbs.All["process"]() == 0 && Verbs.All["sockets"]() == 0 && handled.Wait(5000);
    }

    // The runtime opens a pipe or an assembly now and then. What a fork leaves behind would be counted in hundreds.
    private const int Slack = 8;
    private const int NoHang = 1, All = 0x40000000;

    [DllImport("libc", EntryPoint = "waitpid")]
    private static extern int WaitPid(int process, ref int status, int options);

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int Kill(int process, int signal);
}
