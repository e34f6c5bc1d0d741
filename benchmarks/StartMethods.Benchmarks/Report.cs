using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace StartMethods.Benchmarks;

/// <summary>The table of a group, as Markdown: read on the terminal, kept under <c>artifacts/bench</c>.</summary>
internal static class Report
{
    internal static string Header(string name) =>
        $"""
        # bench {name}
        {CpuModel()}, {Environment.ProcessorCount} CPUs · {RuntimeInformation.OSDescription} · {RuntimeInformation.FrameworkDescription}

        Median and p99 over all samples; [lowest..highest median of a round]. Subject (**bold**) and references take turns in one run.
        A ratio is the median over the reference's median.


        """;

    internal static string Table(IEnumerable<ComparisonResult> results)
    {
        var text = new StringBuilder("""
            | what | contender | median | rounds | p99 | ratio | floor / goal | verdict |
            |---|---|---|---|---|---|---|---|

            """);
        foreach (ComparisonResult result in results)
        {
            bool first = true;
            foreach ((Contender contender, Samples samples) in result.Samples)
            {
                bool subject = contender == result.Comparison.Subject;
                string name = subject ? $"**{contender.Name}**" : contender == result.Comparison.Reference ? $"{contender.Name} (reference)" : contender.Name;
                string ratio = result.RatioOf(contender) is { } value ? $"{value.ToString("0.00", CultureInfo.InvariantCulture)} x" : "no reference";
                string asked = subject ? result.Asked : "";
                text.AppendLine($"| {(first ? result.Comparison.Name : "")} | {name} | {Format(samples.Median)} {result.Comparison.Unit} "
                    + $"| {Format(samples.Range.Low)}..{Format(samples.Range.High)} | {Format(samples.P99)} | {ratio} | {asked} | {(subject ? result.Verdict : "")} |");
                first = false;
            }
        }
        return text.ToString();
    }

    private static string Format(double value) =>
        value.ToString(Math.Abs(value) switch { >= 100 => "#,0", >= 10 => "0.0", >= 1 => "0.00", _ => "0.000" }, CultureInfo.InvariantCulture);

    private static string CpuModel()
    {
        const string CpuInfo = "/proc/cpuinfo";
        string? line = File.Exists(CpuInfo) ? File.ReadLines(CpuInfo).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':') + 1)..].Trim();
    }
}
