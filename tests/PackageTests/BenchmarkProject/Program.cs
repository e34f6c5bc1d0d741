using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Running;
using StartMethods;

// The tool builds a program of its own around the benchmark and runs that: a host that is not ours.
BenchmarkRunner.Run<ChildBenchmark>();

[DryJob]
public class ChildBenchmark
{
    [Benchmark]
    public async Task Child()
    {
        int x = 20;
        int result = await ChildProcess.RunAsync(() => x + Environment.ProcessId);
        Console.WriteLine(result - 20 == Environment.ProcessId ? "the same process" : "another process");
    }
}
