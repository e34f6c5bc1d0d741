// pool-monitor [seconds]: a pool under a mixed load (quick, slow, failing and crashing tasks), watched live: one line a quarter of a second.
using System.Diagnostics;
using StartMethods;

double seconds = args.Length > 0 ? double.Parse(args[0], System.Globalization.CultureInfo.InvariantCulture) : 10;
WorkerLine? said = null;
await using var pool = new WorkerPool(new WorkerPoolOptions
{
    Workers = 3, Name = "monitored", RetryOnCrash = 1, IdleTimeout = TimeSpan.FromSeconds(1),
    Output = line => said = line.Text.Length > 0 ? line : said, // what the workers write: each line says whose it is
});
using var end = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
Task load = Task.WhenAll(Enumerable.Range(0, 6).Select(caller => CallAsync(caller, end.Token)));

Console.WriteLine("workers    running  queued   per second   failed   crashed   last line of a worker");
long last = 0;
Stopwatch time = Stopwatch.StartNew();
while (!load.IsCompleted)
{
    await Task.WhenAny(load, Task.Delay(250));
    PoolStatistics s = pool.Statistics;
    string lights = new string('●', s.Running) + new string('○', Math.Max(0, s.Workers - s.Running));
    string line = $"{lights,-10} {s.Running,7}  {s.Queued,6}   {(s.Succeeded - last) / time.Elapsed.TotalSeconds,10:0}   {s.Failed,6}   {s.WorkersCrashed,7}   {said}";
    Console.Write(Console.IsOutputRedirected ? line + "\n" : "\r" + line.PadRight(110)[..110]);
    (last, time) = (s.Succeeded, Stopwatch.StartNew());
}
Console.WriteLine();
Console.WriteLine(pool);
return 0;

async Task CallAsync(int caller, CancellationToken stop)
{
    var random = new Random(caller);
    while (!stop.IsCancellationRequested)
    {
        try
        {
            int kind = random.Next(1000);
            if (kind == 0)
                await pool.RunAsync(static () => Environment.FailFast("a crash, on purpose"));
            else if (kind < 10)
                await pool.RunAsync(static () => throw new InvalidOperationException("a failure, on purpose"));
            else
                await pool.RunAsync(static n => { if (n > 199_000) Console.WriteLine($"roots up to {n}"); return Enumerable.Range(1, n).Sum(static x => Math.Sqrt(x)); }, random.Next(100, 200_000));
        }
        catch (Exception e) when (e is InvalidOperationException or ChildCrashedException)
        {
            // Shown by the statistics.
        }
    }
}
