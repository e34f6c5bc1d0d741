namespace StartMethods.Benchmarks;

/// <summary>A managed function in a fresh process, and what travels to it and back.</summary>
internal sealed partial class SpawnBenchmarks
{
    private static IEnumerable<Comparison> Functions()
    {
        yield return new Comparison
        {
            Name = "a managed function by spawn → result",
            Unit = "ms",
            Subject = InMilliseconds(Contender.Timed("ChildProcess.RunAsync, spawn", () => ChildProcess.RunAsync(static () => 42, BySpawn))),
            Reference = InMilliseconds(Contender.Timed("dotnet hello.dll", RunHello)),
            Floor = 1.6,
            Goal = 1.15,
            SamplesPerRound = 5,
        };
    }

    private static IEnumerable<Comparison> LargePayloads()
    {
        const int Megabytes = 64;
        const double Gigabytes = (Megabytes << 20) / 1e9;
        byte[] data = new byte[Megabytes << 20];
        Random.Shared.NextBytes(data);
        // What the payload adds: the same start without it is taken off, or a start of some 15 ms would hide a copy of some 30.
        double start = new Samples([Contender.Timed("", () => ChildProcess.RunAsync(static () => 0, BySpawn)).Measure(20)]).Median;
        using var arena = ReferenceProgram.C("ipc", "arena", $"{Megabytes}");
        yield return new Comparison
        {
            Name = "64 MiB argument of a spawned function",
            Unit = "GB/s",
            Subject = WithoutStart(Contender.Timed("byte[] argument, start taken off", () => ChildProcess.RunAsync(static bytes => bytes.Length, data, BySpawn)), start, Gigabytes),
            Reference = arena?.As("C shared arena, read in place"),
            AbsoluteFloor = 1,
            SamplesPerRound = 3,
            Warmup = 2,
        };
        yield return new Comparison
        {
            Name = "64 MiB result of a spawned function",
            Unit = "GB/s",
            Subject = WithoutStart(Contender.Timed("byte[] result, start taken off", () => ChildProcess.RunAsync(static () => new byte[Megabytes << 20], BySpawn)), start, Gigabytes),
            Reference = arena?.As("C shared arena, read in place"),
            AbsoluteFloor = 1,
            SamplesPerRound = 3,
            Warmup = 2,
        };
    }

    private static ChildOptions BySpawn => new() { Method = StartMethod.Spawn };

    private static void RunHello()
    {
        string hello = Environment.GetEnvironmentVariable("BENCH_HELLO")!;
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [hello]) { RedirectStandardOutput = true })!;
        process.WaitForExit();
    }

    private static Contender InMilliseconds(Contender timed) => new(timed.Name, count => Array.ConvertAll(timed.Measure(count), us => us / 1000));

    private static Contender WithoutStart(Contender timed, double start, double amount) =>
        new(timed.Name, count => Array.ConvertAll(timed.Measure(count), us => amount / (Math.Max(us - start, 1) / 1e6)));
}
