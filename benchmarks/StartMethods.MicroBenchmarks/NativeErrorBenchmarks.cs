using BenchmarkDotNet.Attributes;
using StartMethods.Interop;

namespace StartMethods.MicroBenchmarks;

/// <summary>What stands on every call into the native library: the check of its result.</summary>
public class NativeErrorBenchmarks
{
    [Benchmark]
    public int Check() => NativeError.ThrowIfFailed(1, "check");
}
