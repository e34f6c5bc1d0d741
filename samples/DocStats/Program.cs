// DocStats [folder] [--processes N]: counts the words and the documented members of every namespace in the XML documentation that ships
// with the .NET SDK (or in any folder of XML or text), a chunk of files at a time in each worker of a pool, and checks the sum against a single process.
using System.Diagnostics;
using DocStats;
using StartMethods;

int option = Array.IndexOf(args, "--processes");
int processes = option >= 0 ? int.Parse(args[option + 1]) : Environment.ProcessorCount;
string[] folders = option >= 0 ? [.. args[..option], .. args[(option + 2)..]] : args;
InputFile[] files = folders.Length > 0 ? InputFile.Below(folders[0]) : InputFile.OfTheSdk();
InputFile[][] chunks = InputFile.Split(files, processes * 8);
Console.WriteLine($"{files.Length} files, {files.Sum(f => f.Bytes) / 1e6:0.0} MB; {chunks.Length} chunks, {processes} processes at a time");

var total = new Counts();
var progress = new ProgressDisplay(chunks.Length);
long begin = Stopwatch.GetTimestamp();
await using (var pool = new WorkerPool(new WorkerPoolOptions { Workers = processes, Name = "DocStats" }))
{
    string[][] work = [.. chunks.Select(chunk => chunk.Select(file => file.Path).ToArray())];
    await foreach (Counts counts in pool.MapAsync(work, static paths => Counts.Of(paths), new MapOptions { Ordered = false, ChunkSize = 1 }))
    {
        total.Add(counts);
        progress.Advance($"{counts.Words,9:N0} words in {counts.Namespaces.Count} namespaces");
    }
}
TimeSpan inChildren = Stopwatch.GetElapsedTime(begin);

begin = Stopwatch.GetTimestamp();
Counts alone = Counts.Of([.. files.Select(file => file.Path)]);
TimeSpan inOneProcess = Stopwatch.GetElapsedTime(begin);

Console.WriteLine();
Console.WriteLine($"{"namespace",-48} {"members",10} {"words",12}");
foreach ((string name, NamespaceCount count) in total.Namespaces.OrderByDescending(pair => pair.Value.Words).Take(12))
    Console.WriteLine($"{name,-48} {count.Members,10:N0} {count.Words,12:N0}");
Console.WriteLine($"{$"all {total.Namespaces.Count} namespaces",-48} {total.Members,10:N0} {total.Words,12:N0}");
Console.WriteLine();
bool same = total.SameAs(alone);
Console.WriteLine($"the same as counted in one process: {(same ? "yes" : "NO")}");
Console.WriteLine($"{processes} processes {inChildren.TotalSeconds:0.00} s, one process {inOneProcess.TotalSeconds:0.00} s: {inOneProcess / inChildren:0.00} x as fast");
return same ? 0 : 1;
