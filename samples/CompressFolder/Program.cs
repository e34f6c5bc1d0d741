// compress-folder [folder] [--workers n] [--files n]: compresses every file of a folder by Brotli at its best, in worker processes, under a progress bar. Nothing is
// written: it tells what the folder would shrink to, and checks one file against the same work done in this process.
using System.Diagnostics;
using System.IO.Compression;
using StartMethods;

string folder = args.Length > 0 && !args[0].StartsWith('-') ? args[0] : AppContext.BaseDirectory;
int workers = Option("--workers", Environment.ProcessorCount), most = Option("--files", int.MaxValue);
string[] files = [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Take(most)];
if (files.Length == 0)
{
    Console.Error.WriteLine($"there is no file in {folder}");
    return 1;
}

await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = workers, Name = "compress", TaskTimeout = TimeSpan.FromMinutes(5) });
Stopwatch time = Stopwatch.StartNew();
var progress = new Progress<MapProgress>(p => Bar(p.Completed, files.Length));
long before = 0, after = 0;
await foreach ((long size, long compressed) in pool.MapAsync(files, static file => Compress(file), new MapOptions { Progress = progress, Ordered = false }))
{
    before += size;
    after += compressed;
}
Bar(files.Length, files.Length);
Console.WriteLine();
Console.WriteLine($"{files.Length} files, {before / 1e6:0.0} MB → {after / 1e6:0.0} MB ({(before == 0 ? 0 : 100.0 * after / before):0} %) in {time.Elapsed.TotalSeconds:0.0} s by {workers} workers");
Console.WriteLine($"the same as in this process: {(Compress(files[0]) == await pool.RunAsync(static file => Compress(file), files[0]) ? "yes" : "NO")}");
return 0;

static (long Size, long Compressed) Compress(string file)
{
    using var counter = new MemoryStream();
    using FileStream input = File.OpenRead(file);
    using (var brotli = new BrotliStream(counter, CompressionLevel.SmallestSize, leaveOpen: true))
        input.CopyTo(brotli);
    return (input.Length, counter.Length);
}

static void Bar(long done, long total)
{
    if (Console.IsOutputRedirected)
        return;
    int filled = (int)(40 * done / total);
    Console.Write($"\r[{new string('█', filled)}{new string('·', 40 - filled)}] {done}/{total} ");
}

int Option(string name, int otherwise) => Array.IndexOf(args, name) is >= 0 and var i && i + 1 < args.Length ? int.Parse(args[i + 1]) : otherwise;
