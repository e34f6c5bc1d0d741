// DocStats [folder] [--processes N]: counts the words and the documented members of every namespace in the XML documentation that ships
// with the .NET SDK (or in any folder of XML or text), one child process per chunk of files, and checks the sum against a single process.
using System.Diagnostics;
using DocStats;
using StartMethods;

int option = Array.IndexOf(args, "--processes");
int processes = option >= 0 ? int.Parse(args[option + 1]) : Environment.ProcessorCount;
string[] folders = option >= 0 ? [.. args[..option], .. args[(option + 2)..]] : args;
InputFile[] files = folders.Length > 0 ? InputFile.Below(folders[0]) : InputFile.OfTheSdk();
InputFile[][] chunks = InputFile.Split(files, processes * 2);   // a start costs some tens of ms: chunks that are worth it
Console.WriteLine($"{files.Length} files, {files.Sum(f => f.Bytes) / 1e6:0.0} MB; {chunks.Length} chunks, {processes} processes at a time");

var total = new Counts();
var progress = new ProgressDisplay(chunks.Length);
long begin = Stopwatch.GetTimestamp();
await Parallel.ForEachAsync(chunks, new ParallelOptions { MaxDegreeOfParallelism = processes }, async (chunk, cancellation) =>
{
    string[] paths = [.. chunk.Select(file => file.Path)];
    Counts counts = await ChildProcess.RunAsync(() => Counts.Of(paths), cancellation);   // in a process of its own
    lock (total)
        total.Add(counts);
    progress.Advance($"{chunk.Length} files, {counts.Words:N0} words");
});
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
