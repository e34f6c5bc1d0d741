using System.Diagnostics;
using StartMethods.ForkChild;
using StartMethods.Forking;

namespace StartMethods.ForkWeb;

/// <summary>
/// A web server under saturating load that is forked again and again by a background thread: is every child whole, do clients notice, what does it cost? Windows with
/// and without forks take turns, so that both see the same machine.
/// </summary>
internal static class LiveServer
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(2), ChildLimit = TimeSpan.FromSeconds(20);

    internal static async Task<int> RunAsync(string verb, int forks, int connections, int pause)
    {
        await using LoopbackServer server = await LoopbackServer.StartAsync();
        using Load load = Load.Start(server.Port, connections);
        Verbs.All[verb]();   // compiled here, once
        await Task.Delay(Window);
        Findings findings = new();
        double with = 0, without = 0;
        int windows = 0;
        while (findings.Forks < forks && findings.Bad.Count < 5)
        {
            without += await RateAsync(server, Task.Delay(Window));
            with += await RateAsync(server, Task.Factory.StartNew(() => ForkForAWindow(findings, verb, forks, pause), TaskCreationOptions.LongRunning));
            windows++;
        }
        string clients = load.End(out int errors);
        Console.WriteLine($"live: {findings.Whole}/{findings.Forks} whole; {findings.Times("capture", m => m.Capture)}, {findings.Times("parked", m => m.Parked)}, "
            + $"{findings.Times("clone", m => m.Cloning)}, {findings.Times("revival", m => m.Revival)}; "
            + $"throughput {with / windows:F0}/s beside {without / windows:F0}/s without forks ({with / without:F2} times); clients: {clients}"
            + string.Concat(findings.Bad.Select(b => $"\n  {b}")));
        return findings.Whole == findings.Forks && errors == 0 ? 0 : 1;
    }

    private sealed class Findings
    {
        internal int Forks, Whole;
        internal List<string> Bad = [];
        internal List<ForkMeasures> Measures = [];

        internal string Times(string name, Func<ForkMeasures, TimeSpan> select)
        {
            double[] times = [.. Measures.Select(m => select(m).TotalMilliseconds).Order()];
            return times.Length == 0 ? "no time" : $"{name} p50 {times[times.Length / 2]:F2} p90 {times[(int)(times.Length * .9)]:F2} p99 {times[(int)(times.Length * .99)]:F2} most {times[^1]:F2} ms";
        }
    }

    private static async Task<double> RateAsync(LoopbackServer server, Task window)
    {
        long before = server.Served;
        Stopwatch time = Stopwatch.StartNew();
        await window;
        return (server.Served - before) / time.Elapsed.TotalSeconds;
    }

    private static void ForkForAWindow(Findings findings, string verb, int forks, int pause)
    {
        for (Stopwatch time = Stopwatch.StartNew(); time.Elapsed < Window && findings.Forks < forks; findings.Forks++)
        {
            Stopwatch turn = Stopwatch.StartNew();
            if (ForkLoop.One(Verbs.All[verb], ChildLimit, out ForkMeasures measures) is { } wrong)
                findings.Bad.Add(wrong);
            else
                findings.Whole++;
            if (measures.Threads > 0)
                findings.Measures.Add(measures);
            if (pause - (int)turn.ElapsedMilliseconds is > 0 and int rest)
                Thread.Sleep(rest);
        }
    }
}
