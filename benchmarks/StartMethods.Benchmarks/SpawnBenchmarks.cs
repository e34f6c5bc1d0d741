namespace StartMethods.Benchmarks;

/// <summary>Starting another program, and a function in a fresh process.</summary>
internal sealed partial class SpawnBenchmarks : BenchmarkGroup
{
    private const string Program = "/bin/true";

    internal override string Name => "spawn";

    internal override IEnumerable<Comparison> Comparisons()
    {
        return Programs().Concat(Functions()).Concat(LargePayloads());
    }

    private static IEnumerable<Comparison> Programs()
    {
        foreach (int megabytes in (int[])[0, 1024])
        {
            using var ballast = new Ballast(megabytes);
            string parent = megabytes == 0 ? "small parent" : "1 GB parent";
            using var latency = ReferenceProgram.C("spawn", "latency", $"{megabytes}");
            yield return new Comparison
            {
                Name = $"start a program + wait, {parent}",
                Subject = Contender.Timed("SpawnedProcess", StartAndWait),
                Reference = latency?.As("C posix_spawn"),
                Others = [Contender.Timed("SpawnedProcess, async wait", StartAndWaitAsync), Contender.Timed("System.Diagnostics.Process", StartProcess)],
                Floor = 1.15,
                Goal = 1.05,
                Rounds = 20,
            };
            using var rate = ReferenceProgram.C("spawn", "rate", $"{megabytes}");
            using var pipeline = ReferenceProgram.C("spawn", "pipeline", $"{megabytes}");
            yield return new Comparison
            {
                Name = $"programs per second, 4 in flight, {parent}",
                Unit = "/s",
                Subject = Contender.Rate("SpawnedProcess, 4 threads", Starts, () => OnFourThreads(StartAndWait)),
                Reference = rate?.As("C posix_spawn, 4 threads"),
                Others =
                [
                    Contender.Rate("SpawnedProcess, 4 asynchronous loops", Starts, FourLoops),
                    Contender.Rate("System.Diagnostics.Process, 4 threads", Starts, () => OnFourThreads(StartProcess)),
                    pipeline?.As("C posix_spawn, one thread"),
                    Contender.Rate("SpawnedProcess, one thread", Starts, Pipeline),
                ],
                Floor = 0.9,
                Goal = 1,
                Rounds = 15,
                SamplesPerRound = 1,
                Warmup = 5,
            };
        }
    }

    private const int Starts = 200;

    private static void StartAndWait()
    {
        SpawnedProcess process = SpawnedProcess.Start(new SpawnInfo(Program));
        process.WaitForExit();
        process.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private static async Task StartAndWaitAsync()
    {
        await using SpawnedProcess process = SpawnedProcess.Start(new SpawnInfo(Program));
        await process.WaitForExitAsync();
    }

    private static void StartProcess()
    {
        using Process process = Process.Start(Program);
        process.WaitForExit();
    }

    // Four that each start a program and wait for it. With one thread that starts them all the figure says more about how its steps fall between those of
    // the children than about what a start costs: the same C program with 15 us of idle work in each start made 0.85 of its rate, and with 30 us 0.95 again.
    private static void OnFourThreads(Action startAndWait)
    {
        Thread[] threads = new Thread[4];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(() =>
            {
                for (int start = 0; start < Starts / threads.Length; start++)
                    startAndWait();
            });
            threads[i].Start();
        }
        foreach (Thread thread in threads)
            thread.Join();
    }

    private static void FourLoops()
    {
        Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            for (int start = 0; start < Starts / 4; start++)
                await StartAndWaitAsync();
        }))).GetAwaiter().GetResult();
    }

    private static void Pipeline()
    {
        var live = new Queue<SpawnedProcess>();
        for (int i = 0; i < Starts + 4; i++)
        {
            if (live.Count == 4 || i >= Starts && live.Count > 0)
                live.Dequeue().WaitForExit();
            if (i < Starts)
                live.Enqueue(SpawnedProcess.Start(new SpawnInfo(Program)));
        }
    }
}
