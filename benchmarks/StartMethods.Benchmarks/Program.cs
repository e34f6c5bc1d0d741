// ./build.sh bench [group…] [--scale 0.2] [--only "64 MiB"]: runs the groups and prints one table each, saved under artifacts/bench.
using System.Globalization;
using StartMethods.Benchmarks;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["subject", .. var subject])
    return ForkSubject.Run(subject);
double scale = 1;
string only = "";
var names = new List<string>();
for (int i = 0; i < args.Length; i++)
{
    if (args[i] == "--scale" && i + 1 < args.Length)
        scale = double.Parse(args[++i], CultureInfo.InvariantCulture);
    else if (args[i] == "--only" && i + 1 < args.Length)
        only = args[++i];
    else
        names.Add(args[i]);
}
if (names.Count == 0 || names is ["all"])
    names = [.. BenchmarkGroup.All.Keys];
if (names.Find(name => !BenchmarkGroup.All.ContainsKey(name)) is { } unknown)
{
    Console.Error.WriteLine($"bench: unknown group '{unknown}'; there are: {string.Join(", ", BenchmarkGroup.All.Keys)}, all");
    return 64;
}
string folder = Environment.GetEnvironmentVariable("BENCH_RESULTS") ?? Directory.GetCurrentDirectory();
Directory.CreateDirectory(folder);
foreach (string name in names)
{
    var results = new List<ComparisonResult>();
    foreach (Comparison comparison in BenchmarkGroup.All[name].Comparisons().Where(comparison => comparison.Name.Contains(only, StringComparison.OrdinalIgnoreCase)))
    {
        Console.Error.WriteLine($"{name}: {comparison.Name}");
        results.Add(comparison.Run(scale));
    }
    string report = Report.Header(name) + Report.Table(results);
    Console.WriteLine(report);
    File.WriteAllText(Path.Combine(folder, name + ".md"), report);
}
return 0;
