namespace StartMethods.Benchmarks;

/// <summary>Children of a fork server, from request to reaped, at hand and in number.</summary>
internal sealed class ForkServerBenchmarks : BenchmarkGroup
{
    internal override string Name => "forkserver";

    internal override IEnumerable<Comparison> Comparisons() => Starts().Concat(Spares()).Concat(Rates()).Concat(Memory()).Concat(Growth());

    private static IEnumerable<Comparison> Starts()
    {
        var server = new ForkServer();
        var untiered = new ForkServer(new ForkServerOptions { TieredCompilation = false });
        using var python = ReferenceProgram.Python("starts", "process", "forkserver");
        using var pythonFork = ReferenceProgram.Python("starts", "process", "fork");
        using var c = ReferenceProgram.C("fork", "child", "16000", "300");
        yield return new Comparison
        {
            Name = "fork server: start → result → exit → reaped",
            Subject = Contender.Timed("ChildProcess.RunAsync, forkserver", () => ChildProcess.RunAsync(static () => 42, On(server))),
            Reference = python?.As("CPython forkserver"),
            Others = [Contender.Timed("the same, TieredCompilation off", () => ChildProcess.RunAsync(static () => 42, On(untiered))), pythonFork?.As("CPython fork"), Contender.Timed("ChildProcess.RunAsync, spawn", () => ChildProcess.RunAsync(static () => 42, On(StartMethod.Spawn))), c?.As("C fork + exit, 16 MB, 300 VMAs")],
            Floor = 0.2,
            Goal = 0.08,
        };
        yield return new Comparison
        {
            Name = "fork server: start → first instruction of the body",
            Subject = new Contender("ChildProcess.Start, forkserver", count => FirstInstruction(server, count)),
            Reference = c?.As("C fork + exit, 16 MB, 300 VMAs"),
        };
        End(untiered);
        End(server);
    }

    private static IEnumerable<Comparison> Spares()
    {
        var server = new ForkServer(new ForkServerOptions { SpareChildren = 4 });
        server.StartAsync().GetAwaiter().GetResult();
        using var pipes = ReferenceProgram.C("ipc", "pipe", "0", "1");
        using var rested = ReferenceProgram.C("ipc", "pipe", "0", "1", $"{RestMilliseconds}");
        yield return new Comparison
        {
            Name = "fork server with spare children: request → result",
            Subject = new Contender("ChildProcess.Start, 4 spare children", count => FromSpare(server, count)),
            Reference = pipes?.As("C pipes, round trip on two CPUs"),
            Others = [rested?.As($"the same after {RestMilliseconds} ms of rest, as a spare child has them")],
            Floor = 2,
            Goal = 1.3,
        };
        End(server);
    }

    private static IEnumerable<Comparison> Rates()
    {
        var server = new ForkServer();
        using var fork = ReferenceProgram.Python("starts", "rate", "fork");
        using var forkserver = ReferenceProgram.Python("starts", "rate", "forkserver");
        const int count = 100;
        yield return new Comparison
        {
            Name = "fork server: starts per second, 2 in flight",
            Unit = "/s",
            Subject = Contender.Rate("ChildProcess.RunAsync, two threads", count, () => OnTwoThreads(server, count)),
            Reference = fork?.As("CPython fork"),
            Others = [Contender.Rate("the same, two asynchronous loops", count, () => TwoInFlight(server, count)), forkserver?.As("CPython forkserver")],
            Floor = 1.5,
            Goal = 3,
            SamplesPerRound = 1,
            Warmup = 20, // until the runtime has compiled once more what runs often: a server starts children for more than a tenth of a second
        };
        End(server);
    }

    private static IEnumerable<Comparison> Memory()
    {
        foreach (int live in (int[])[1, 100, 500])
        {
            var server = new ForkServer();
            var untiered = new ForkServer(new ForkServerOptions { TieredCompilation = false });
            using var fork = ReferenceProgram.Python("starts", "memory", "fork", $"{live}");
            yield return new Comparison
            {
                Name = $"fork server: PSS of each of {live} idle children",
                Unit = "MB",
                Subject = new Contender("children of a fork server", samples => Measure(samples, () => IdleMemory(server, live))),
                Reference = fork?.As("CPython fork"),
                Others = [new Contender("the same, TieredCompilation off", samples => Measure(samples, () => IdleMemory(untiered, live)))],
                Floor = live == 1 ? null : 0.6,
                Goal = live == 1 ? null : 0.3,
                Rounds = 2,
                SamplesPerRound = 1,
                Warmup = 0,
            };
            End(untiered);
            End(server);
        }
    }

    // Each round has its own children about it: what grows is what a fork copies, and what the kernel and this process have to look through.
    private static IEnumerable<Comparison> Growth()
    {
        var server = new ForkServer();
        yield return new Comparison
        {
            Name = "fork server: one more child beside 500",
            Subject = new Contender("ChildProcess.RunAsync beside 500", count => Beside(server, 500, count)),
            Reference = new Contender("ChildProcess.RunAsync beside 100", count => Beside(server, 100, count)),
            Floor = 2.5,
            Goal = 1.3,
            Rounds = 4,
            SamplesPerRound = 50,
        };
        End(server);
    }

    private static double[] Beside(ForkServer server, int live, int count)
    {
        ChildProcess[] idle = Idle(server, live);
        double[] times = Contender.Timed("", () => ChildProcess.RunAsync(static () => 42, On(server))).Measure(count);
        Array.ForEach(idle, child => child.Kill());
        Array.ForEach(idle, child => child.WaitForExit());
        return times;
    }

    private static ChildOptions On(StartMethod method) => new() { Method = method };

    private static void End(ForkServer server) => server.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static double[] Measure(int count, Func<double> sample) => [.. Enumerable.Range(0, count).Select(_ => sample())];

    // The clock is the machine's: CLOCK_MONOTONIC means the same in every process.
    private static double[] FirstInstruction(ForkServer server, int count) => Measure(count, () =>
    {
        long start = Stopwatch.GetTimestamp();
        long begun = ChildProcess.RunAsync(static () => Stopwatch.GetTimestamp(), On(server)).GetAwaiter().GetResult();
        return Stopwatch.GetElapsedTime(start, begun).TotalMicroseconds;
    });

    private const int RestMilliseconds = 10;

    private static double[] FromSpare(ForkServer server, int count) => Measure(count, () =>
    {
        Thread.Sleep(RestMilliseconds); // so that there is one: how fast they are made is another question
        long start = Stopwatch.GetTimestamp();
        ChildProcess<int> child = ChildProcess.Start(static () => 42, On(server));
        child.Result.GetAwaiter().GetResult();
        double time = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        child.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return time;
    });

    private static void OnTwoThreads(ForkServer server, int count)
    {
        var threads = new Thread[2];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(() =>
            {
                for (int start = 0; start < count / threads.Length; start++)
                    ChildProcess.RunAsync(static () => 42, On(server)).GetAwaiter().GetResult();
            });
            threads[i].Start();
        }
        foreach (Thread thread in threads)
            thread.Join();
    }

    private static void TwoInFlight(ForkServer server, int count) =>
        Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (_, _) => await ChildProcess.RunAsync(static () => 42, On(server))).GetAwaiter().GetResult();

    private static double IdleMemory(ForkServer server, int live)
    {
        ChildProcess[] children = Idle(server, live);
        Thread.Sleep(1000); // all of them have come to rest
        double sum = children.Sum(child => Pss(child.Id));
        foreach (ChildProcess child in children)
            child.Kill();
        foreach (ChildProcess child in children)
            child.WaitForExit();
        return sum / live;
    }

    private static ChildProcess[] Idle(ForkServer server, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => ChildProcess.Start(static () => Thread.Sleep(Timeout.Infinite), On(server)))];

    private static double Pss(int process) =>
        double.Parse(File.ReadLines($"/proc/{process}/smaps_rollup").First(line => line.StartsWith("Pss:", StringComparison.Ordinal))[4..^2]) / 1024;
}
