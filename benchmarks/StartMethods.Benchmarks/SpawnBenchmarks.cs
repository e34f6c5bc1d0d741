namespace StartMethods.Benchmarks;

/// <summary>Starting another program, and a function in a fresh process.</summary>
internal sealed class SpawnBenchmarks : BenchmarkGroup
{
    internal override string Name => "spawn";

    internal override IEnumerable<Comparison> Comparisons()
    {
        foreach (int parent in (int[])[0, 1024])
        {
            using var latency = ReferenceProgram.C("spawn", "latency", $"{parent}");
            yield return new Comparison
            {
                Name = $"start a program + wait, {(parent == 0 ? "small" : "1 GB")} parent",
                Subject = Contender.Timed("System.Diagnostics.Process", StartProcess),
                Reference = latency?.As("C posix_spawn"),
                Floor = 1.15,
                Goal = 1.05,
            };
        }
    }

    private static void StartProcess()
    {
        using Process process = Process.Start("/bin/true");
        process.WaitForExit();
    }
}
