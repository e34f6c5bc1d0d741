// What Redis calls BGSAVE: a dictionary in memory is saved by a forked child, which sees it as it was at the moment of the fork, while the parent goes on
// writing. Nothing is copied but the pages that the parent changes meanwhile. Snapshot [megabytes] [file]
using System.Diagnostics;
using StartMethods;

int megabytes = args.Length > 0 ? int.Parse(args[0]) : 1024;
string file = args.Length > 1 ? args[1] : Path.Combine(Path.GetTempPath(), $"snapshot-{Environment.ProcessId}.txt");
if (StartMethod.Fork.UnsupportedReason is { } reason)
{
    Console.WriteLine($"This process cannot be forked: {reason}");
    return 0;
}
const int ValueSize = 1024;
Dictionary<int, byte[]> store = new(megabytes * 1024);
for (int key = 0; key < megabytes * 1024; key++)
{
    store[key] = new byte[ValueSize];
    store[key][0] = 1; // version 1 of every value
}
Console.WriteLine($"{store.Count} values, {Environment.WorkingSet >> 20} MB in memory");

// Huge pages: all threads stand still while the tables of this memory are copied, and there are 512 times fewer entries then.
StartMethod method = StartMethod.ForkWith(new ForkOptions { HugePages = true });
Stopwatch time = Stopwatch.StartNew();
await using ChildProcess<long> saving = ChildProcess.Start(() => Save(store, file), new ChildOptions { Method = method, Name = "snapshot" });
Console.WriteLine($"forked in {time.Elapsed.TotalMilliseconds:0.0} ms, most of them to move the heap to huge pages; the parent writes on");
long writes = 0;
while (!saving.Result.IsCompleted)
{
    for (int i = 0; i < 1000; i++)
        store[(int)(writes++ % store.Count)][0] = 2;
}
long sum = await saving.Result;
Console.WriteLine($"saved {new FileInfo(file).Length >> 10} KB in {time.Elapsed.TotalMilliseconds:0} ms, {writes} writes meanwhile");
Console.WriteLine($"the snapshot is that of one moment: {(sum == store.Count ? "yes" : "no")}");
File.Delete(file);
return sum == store.Count ? 0 : 1;

static long Save(Dictionary<int, byte[]> store, string file)
{
    long sum = 0;
    using FileStream stream = File.Create(file, 1 << 16);
    foreach ((int key, byte[] value) in store)
    {
        stream.Write(BitConverter.GetBytes(key));
        stream.Write(value);
        sum += value[0];
    }
    return sum;
}
