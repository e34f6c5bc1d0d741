using StartMethods.MicroBenchmarks;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

// In process: BenchmarkDotNet's usual way generates and builds a project of its own, which central package management
// and the artifacts folder of this repository get in the way of; the pieces measured here need no fresh process.
var config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
if (args.Length > 0 && args[0] == "--artifacts")
{
    config = config.WithArtifactsPath(args[1]);
    args = args[2..];
}
BenchmarkSwitcher.FromAssembly(typeof(ChannelBenchmarks).Assembly).Run(args.Length == 0 ? ["--filter", "*"] : args, config);
