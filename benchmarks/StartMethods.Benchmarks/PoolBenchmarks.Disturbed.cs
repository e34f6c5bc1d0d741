namespace StartMethods.Benchmarks;

/// <summary>Spinning must never hurt: the same work with and without it, beside a neighbour that wants all the processor, and on one processor.</summary>
internal sealed partial class PoolBenchmarks
{
    private static IEnumerable<Comparison> Disturbed()
    {
        using (var neighbour = new Neighbours(Environment.ProcessorCount))
        {
            foreach (Comparison comparison in SpinningAgainstNone("beside a busy neighbour on each processor"))
                yield return comparison;
        }
        Pin("0");
        foreach (Comparison comparison in SpinningAgainstNone("pinned on one processor"))
            yield return comparison;
        Pin($"0-{Environment.ProcessorCount - 1}");
    }

    private static IEnumerable<Comparison> SpinningAgainstNone(string where)
    {
        // A server of its own, which is where this process is now: the shared one, and so its children, may run where this process ran when it was started.
        var server = new ForkServer();
        WorkerPool spinning = NewPool(1, method: server), quiet = NewPool(1, spins: false, server);
        yield return new Comparison
        {
            Name = $"round trip {where}",
            Subject = RoundTrip("spins up to 50 us", spinning),
            Reference = RoundTrip("never spins", quiet),
            Floor = 1.2,
            Goal = 1,
            SamplesPerRound = 300,
        };
        yield return new Comparison
        {
            Name = $"tasks per second, one by one, {where}",
            Unit = "/s",
            Subject = Contender.Rate("spins up to 50 us", Tasks, () => Map(spinning, Tasks, 1)),
            Reference = Contender.Rate("never spins", Tasks, () => Map(quiet, Tasks, 1)),
            Floor = 0.8,
            Goal = 1,
            SamplesPerRound = 2,
            Warmup = 1,
        };
        spinning.DisposeAsync().AsTask().GetAwaiter().GetResult();
        quiet.DisposeAsync().AsTask().GetAwaiter().GetResult();
        server.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    // All threads of this process; what it starts from now on inherits it.
    private static void Pin(string processors)
    {
        using Process taskset = Process.Start(new ProcessStartInfo("taskset", ["-a", "-c", "-p", processors, $"{Environment.ProcessId}"]) { RedirectStandardOutput = true })!;
        taskset.WaitForExit();
    }

    /// <summary>Processes that do nothing but compute.</summary>
    private sealed class Neighbours : IDisposable
    {
        private readonly Process[] _processes;

        internal Neighbours(int count) => _processes = [.. Enumerable.Range(0, count).Select(_ => Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "while :; do :; done"]))!)];

        public void Dispose()
        {
            foreach (Process process in _processes)
            {
                process.Kill();
                process.WaitForExit();
                process.Dispose();
            }
        }
    }
}
