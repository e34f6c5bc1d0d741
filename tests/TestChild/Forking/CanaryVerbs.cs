using System.Diagnostics;
using System.Diagnostics.Tracing;
using System.Runtime.InteropServices;
using StartMethods;
using TestChild.ForkServers;

namespace TestChild.Forking;

/// <summary>The child that is sent ahead of a process's first fork.</summary>
internal static partial class CanaryVerbs
{
    internal static void AddTo(Dictionary<string, Verb> verbs)
    {
        verbs["fork-canary"] = arguments => ForkVerbs.Now(() => Sent(arguments[0]));
        verbs["fork-canary-refused"] = arguments => ForkVerbs.Now(() => Refused(arguments[0]));
    }

    /// <summary>fork-canary once|skipped: how many canaries three forks and a child's fork send.</summary>
    private static string Sent(string how)
    {
        if (how == "skipped")
            AppContext.SetSwitch("StartMethods.SkipForkCanary", true);
        using Listener listener = new();
        int hooks = 0;
        using IDisposable hook = AtFork.Register(before: () => hooks++);
        bool childSentNone = false;
        for (int i = 0; i < 3; i++)
        {
            childSentNone = ForkVerbs.ForkAndWait(null, () =>
            {
                int before = listener.Seen;
                ForkVerbs.ForkAndWait(null, () => 0);
                return listener.Seen - before;
            }).Code == 0;
        }
        return $"canaries {listener.Seen}, in the child none: {childSentNone}, hooks ran {hooks} times";
    }

    /// <summary>fork-canary-refused hangs|dies: in a system that no forked child survives, what is said, and what is left.</summary>
    private static string Refused(string how)
    {
        using ManualResetEventSlim end = new();
        int ticks = 0;
        Thread worker = new(() =>
        {
            while (!end.Wait(1))
                ticks++;
        }) { Name = "worker" };
        worker.Start();
        ForkOptions options = new() { Policy = UnsafeForkPolicy.Allow };
        _ = StartMethod.Fork.UnsupportedReason; // what is opened once
        int descriptors = Descriptors();
        if (how == "hangs")
            SystemCallFilter.LoseActivations();
        else
            SystemCallFilter.EndWhoReplacesDescriptors();
        List<string> lines = [ForkVerbs.Refused(options)];
        long start = Stopwatch.GetTimestamp();
        lines.Add(ForkVerbs.Refused(options));
        lines.Add($"at once: {Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1)}");
        lines.Add($"{StartMethod.Fork.UnsupportedReason}");
        lines.Add($"{ForkSafety.Inspect().Findings.Single().Kind}");
        int status = 0, before = ticks;
        bool hasChild = WaitPid(-1, ref status, 0x40000001) != -1;
        int more = Descriptors() - descriptors;
        bool isAlive = SpinWait.SpinUntil(() => Volatile.Read(ref ticks) > before + 2, 5000);
        end.Set();
        worker.Join();
        lines.Add($"left: child {hasChild}, descriptors {more}, the parent's thread lives: {isAlive}");
        return string.Join('\n', lines);
    }

    // The runtime opens assemblies when it likes.
    private static int Descriptors() => Directory.GetFileSystemEntries("/proc/self/fd").Count(link => new FileInfo(link).LinkTarget?.Contains(":[", StringComparison.Ordinal) ?? false);

    [LibraryImport("libc", EntryPoint = "waitpid")]
    private static partial int WaitPid(int process, ref int status, int options);

    private sealed class Listener : EventListener
    {
        internal int Seen;

        protected override void OnEventSourceCreated(EventSource source)
        {
            if (source.Name == "StartMethods")
                EnableEvents(source, EventLevel.Informational);
        }

        protected override void OnEventWritten(EventWrittenEventArgs e)
        {
            if (e.EventName == "CanaryEnded")
                Seen++;
        }
    }
}
