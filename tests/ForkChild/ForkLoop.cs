using System.Diagnostics;
using StartMethods.Forking;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkChild;

/// <summary>Forks <c>count</c> times; each child runs the body and leaves with its result. Prints one line and returns 0 if all children returned 0.</summary>
internal static class ForkLoop
{
    /// <summary>FORKCHILD_FLAGS: SM_FORK_* names, as ForkFlags spells them.</summary>
    private static readonly ForkRequest Request = new()
    {
        Flags = Enum.Parse<ForkFlags>(Environment.GetEnvironmentVariable("FORKCHILD_FLAGS") ?? "None"),
    };

    internal static int Run(string verb, Func<int> body, int count)
    {
        int whole = 0;
        List<double> capture = [], clone = [], revival = [], total = [];
        Dictionary<string, int> bad = [];
        for (int i = 0; i < count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            ForkOutcome outcome;
            try
            {
                outcome = ForkEngine.Fork(Request);
            }
            catch (StartMethodException e)
            {
                Count(bad, e.Message);
                continue;
            }
            if (outcome.IsChild)
                Leave(body);
            capture.Add(outcome.Measures.Capture.TotalMicroseconds);
            clone.Add(outcome.Measures.Cloning.TotalMicroseconds);
            revival.Add(outcome.Measures.Revival.TotalMicroseconds);
            ProcessLifetime child = ProcessLifetime.OfChild(outcome.ProcessId, outcome.Pidfd);
            bool ended = child.WaitForExit(TimeSpan.FromSeconds(20));
            if (!ended)
            {
                if (Environment.GetEnvironmentVariable("FORKCHILD_STOP_AT_HANG") is not null)
                {
                    Console.Error.WriteLine($"hung child {child.Id}");
                    child.WaitForExit(TimeSpan.FromMinutes(30));
                }
                child.Signal(9);
                child.WaitForExit(Timeout.InfiniteTimeSpan);
            }
            total.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            if (ended && child.Status!.Value.Code == 0)
                whole++;
            else
                Count(bad, ended ? child.Status.ToString()! : "HANG");
        }
        Console.WriteLine($"{verb}: {whole}/{count} whole; capture p50 {P(capture, .5):F0} p99 {P(capture, .99):F0} µs, clone {P(clone, .5):F0}, revival {P(revival, .5):F0}, start to reaped {P(total, .5):F0} µs"
            + string.Concat(bad.Select(b => $"\n  {b.Value} × {b.Key}")));
        return whole == count ? 0 : 1;
    }

    /// <summary>Runs a scenario <c>count</c> times; stops at the first that goes wrong.</summary>
    internal static int Run(string verb, Func<string?> scenario, int count)
    {
        for (int i = 0; i < count; i++)
            if (scenario() is { } wrong)
            {
                Console.WriteLine($"{verb}: {i}/{count} as expected; then {wrong}");
                return 1;
            }
        Console.WriteLine($"{verb}: {count}/{count} as expected");
        return 0;
    }

    private static void Leave(Func<int> body)
    {
        int code = 99;
        try
        {
            code = body();
        }
        catch (Exception e)
        {
            Console.Error.WriteLine(e);
        }
        Native.ExitNow(code);
    }

    private static void Count(Dictionary<string, int> counts, string key) => counts[key] = counts.GetValueOrDefault(key) + 1;

    private static double P(List<double> values, double fraction)
    {
        if (values.Count == 0)
            return 0;
        values.Sort();
        return values[Math.Min(values.Count - 1, (int)(values.Count * fraction))];
    }
}
