using System.Diagnostics;
using StartMethods.Tests.Layout;

namespace StartMethods.ProcessTests;

/// <summary>Every sample is run, so that none can rot. Those that fork have fixtures of their own: <see cref="ForkSamplesTests"/>, <see cref="PreforkWebTests"/>.</summary>
[Category("Portable")]
public class SamplesTests
{
    [Test, CancelAfter(60_000)]
    public async Task DocStats_counts_the_same_in_children_as_in_one_process(CancellationToken cancellation)
    {
        string output = await RunAsync("DocStats", [Repository.PathOf("docs"), "--processes", "2"], cancellation);
        Assert.That(output, Does.Contain("the same as counted in one process: yes").And.Contain("(text)"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Deadlock_completes_by_spawn(CancellationToken cancellation) =>
        Assert.That(await RunAsync("Deadlock", [], cancellation), Does.Contain("took the lock"));

    [Test, CancelAfter(60_000)]
    public async Task The_snippets_of_the_readme_run(CancellationToken cancellation) =>
        Assert.That(await RunAsync("Readme", [], cancellation), Does.Contain("17984 primes between 2 and 200000").And.Contain("git version"));

    [Test, CancelAfter(60_000)]
    public async Task CompressFolder_compresses_the_same_in_workers_as_in_one_process(CancellationToken cancellation) =>
        Assert.That(await RunAsync("CompressFolder", [Repository.PathOf("docs"), "--workers", "2", "--files", "6"], cancellation), Does.Contain("the same as in this process: yes"));

    [Test, CancelAfter(60_000)]
    public async Task PoolMonitor_watches_a_pool_with_failures_and_crashes(CancellationToken cancellation) =>
        Assert.That(await RunAsync("PoolMonitor", ["2"], cancellation), Does.Contain("pool 'monitored': ").And.Match(@"monitored-\d+ \(\d+\) (out|err): "));

    [Test]
    public void The_readme_shows_the_code_that_is_run()
    {
        string[] code = [.. Repository.FilesBelow("samples/Readme/", ".cs").SelectMany(file => File.ReadLines(Repository.PathOf(file))).Select(line => line.Trim())];
        string all = string.Join('\n', code);
        string[] blocks = File.ReadAllText(Repository.PathOf("README.md")).Split("```");
        var shown = blocks.Where(block => block.StartsWith("csharp\n", StringComparison.Ordinal))
            .Select(block => string.Join('\n', block["csharp\n".Length..].Trim().Split('\n').Select(line => line.Trim()))).ToArray();
        Assert.That(shown, Is.Not.Empty);
        foreach (string snippet in shown)
            Assert.That(all, Does.Contain(snippet));
    }

    internal static async Task<string> RunAsync(string sample, string[] arguments, CancellationToken cancellation)
    {
        string configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        string program = Repository.PathOf("artifacts", "bin", sample, configuration, sample + ".dll");
        ProcessStartInfo info = new("dotnet", [program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        info.Environment.Remove("DOTNET_DbgEnableMiniDump"); // a test run that keeps crash dumps hands that on, and then nothing is forked
        using Process process = Process.Start(info)!;
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(cancellation), error = process.StandardError.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            Assert.That(process.ExitCode, Is.Zero, $"{sample} failed.\n{await output}\n{await error}");
            return await output;
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
    }
}
