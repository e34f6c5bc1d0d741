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
            yield return new Comparison
            {
                Name = $"programs per second, 4 in flight, {parent}",
                Unit = "/s",
                Subject = Contender.Rate("SpawnedProcess", Starts, FourInFlight),
                Reference = rate?.As("C posix_spawn"),
                Others = [Contender.Rate("System.Diagnostics.Process", Starts, FourProcessesInFlight)],
                Floor = 0.9,
                Goal = 1,
                Rounds = 15,
                SamplesPerRound = 1,
                Warmup = 1,
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

    private static void FourInFlight()
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

    private static void FourProcessesInFlight()
    {
        var live = new Queue<Process>();
        for (int i = 0; i < Starts + 4; i++)
        {
            if (live.Count == 4 || i >= Starts && live.Count > 0)
            {
                using Process first = live.Dequeue();
                first.WaitForExit();
            }
            if (i < Starts)
                live.Enqueue(Process.Start(Program));
        }
    }
}
