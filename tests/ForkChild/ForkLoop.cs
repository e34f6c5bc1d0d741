using System.Diagnostics;
using StartMethods.Forking;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkChild;

/// <summary>Forks <c>count</c> times; each child runs the body and leaves with its result. Prints one line and returns 0 if all children returned 0.</summary>
internal static class ForkLoop
{
    /// <summary>FORKCHILD_SHARED_DATA: as in a process whose canary has not shown that data in code memory may be its own.</summary>
    private static bool DataStaysShared => Environment.GetEnvironmentVariable("FORKCHILD_SHARED_DATA") is not null;

    /// <summary>FORKCHILD_FLAGS: SM_FORK_* names, as ForkFlags spells them.</summary>
    internal static readonly ForkRequest Request = new()
    {
        Flags = Enum.Parse<ForkFlags>(Environment.GetEnvironmentVariable("FORKCHILD_FLAGS") ?? "None") | ForkOperation.Usual | (DataStaysShared ? ForkFlags.None : ForkFlags.OwnData),
    };

    private const int DataWasWrittenTwice = 98;

    private static readonly bool MayRefuse = Environment.GetEnvironmentVariable("FORKCHILD_MAY_REFUSE") is not null;

    internal static int Run(string verb, Func<int> body, int count)
    {
        int whole = 0, refused = 0;
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
                // The thread is named, in good time: where the driver says so, an answer too.
                if (MayRefuse && e.Message.Contains(" thread '", StringComparison.Ordinal) && Stopwatch.GetElapsedTime(start) < Request.Deadline + TimeSpan.FromSeconds(1))
                    refused++;
                else
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
                StopAtHang(child);
                child.Signal(9);
                child.WaitForExit(Timeout.InfiniteTimeSpan);
            }
            total.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            if (ended && child.Status!.Value.Code == 0)
                whole++;
            else
                Count(bad, ended ? child.Status.ToString()! : "HANG");
        }
        if (Native.ForkCheckCodeData() < 0)
            Count(bad, "parent: the runtime has written to data of its code memory through the file");
        Console.WriteLine($"{verb}: {whole}/{count} whole{(refused == 0 ? "" : $", {refused} refused with the name of a thread")}; capture p50 {P(capture, .5):F0} p99 {P(capture, .99):F0} µs, clone {P(clone, .5):F0}, revival {P(revival, .5):F0}, start to reaped {P(total, .5):F0} µs"
            + string.Concat(bad.Select(b => $"\n  {b.Value} × {b.Key}")));
        return whole + refused == count && Native.ForkCheckCodeData() >= 0 ? 0 : 1;
    }

    /// <summary>One fork, by the way that applications take; null, or what was wrong with the child.</summary>
    internal static string? One(Func<int> body, TimeSpan limit, out ForkMeasures measures)
    {
        measures = default;
        ForkOutcome outcome;
        try
        {
            outcome = ForkOperation.Run(new ForkOptions { Policy = UnsafeForkPolicy.Allow });
        }
        catch (StartMethodException e)
        {
            return e.Message;
        }
        if (outcome.IsChild)
            Leave(body);
        measures = outcome.Measures;
        ProcessLifetime child = ProcessLifetime.OfChild(outcome.ProcessId, outcome.Pidfd);
        bool ended = child.WaitForExit(limit);
        if (!ended)
        {
            child.Signal(9);
            child.WaitForExit(Timeout.InfiniteTimeSpan);
        }
        return !ended ? "HANG" : child.Status!.Value.Code == 0 ? null : child.Status.ToString();
    }

    /// <summary>Runs a scenario <c>count</c> times; gives up after three that went wrong, since each may have taken its whole time limit.</summary>
    internal static int Run(string verb, Func<int, string?> scenario, int count)
    {
        int right = 0;
        List<string> wrong = [];
        for (int i = 0; i < count && wrong.Count < 3; i++)
        {
            if (scenario(i) is { } text)
                wrong.Add(text);
            else
                right++;
        }
        Console.WriteLine($"{verb}: {right}/{right + wrong.Count} as expected{string.Concat(wrong.Select(text => $"\n  {text}"))}");
        return wrong.Count;
    }

    /// <summary>FORKCHILD_STOP_AT_HANG: leaves a child that hangs to a debugger.</summary>
    internal static void StopAtHang(ProcessLifetime child)
    {
        if (Environment.GetEnvironmentVariable("FORKCHILD_STOP_AT_HANG") is null)
            return;
        Console.Error.WriteLine($"hung child {child.Id}");
        child.WaitForExit(TimeSpan.FromMinutes(30));
    }

    private static void Leave(Func<int> body)
    {
        int code = 99;
        try
        {
            code = body();
            if (Native.ForkCheckCodeData() < 0)
                code = DataWasWrittenTwice;
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
