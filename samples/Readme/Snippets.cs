using StartMethods;

internal static class Snippets
{
    public static async Task RunAsync()
    {
        int from = 2, to = 200_000;
        int primes = await ChildProcess.RunAsync(() => CountPrimes(from, to));   // runs in a process of its own
        Console.WriteLine($"{primes} primes between {from} and {to}");
    }

    public static async Task HoldOnAsync()
    {
        await using ChildProcess<int> child = ChildProcess.Start(() => CountPrimes(2, 1_000_000), new ChildOptions { Name = "primes" });
        Console.WriteLine($"{child.Name} is process {child.Id}, started by {child.Method}");
        int primes = await child.Result;
        ExitStatus status = await child.WaitForExitAsync();
        Console.WriteLine($"{primes}: {status}, {child.Usage?.UserTime.TotalMilliseconds:0} ms of CPU");
    }

    public static async Task ErrorsAsync()
    {
        try
        {
            await ChildProcess.RunAsync(static text => int.Parse(text), "three");
        }
        catch (FormatException e)          // the very exception, with the child's stack trace
        {
            Console.WriteLine(e.Message);
        }
        try
        {
            await ChildProcess.RunAsync(() => Environment.FailFast("out of luck"));
        }
        catch (ChildCrashedException e)    // died without an answer: how, and its last words
        {
            Console.WriteLine(e.Message.Split('\n')[0]);
        }
    }

    public static async Task MethodsAsync()
    {
        foreach (StartMethod method in StartMethod.Supported)
            Console.WriteLine($"{method}: {await ChildProcess.RunAsync(() => Environment.ProcessId, new ChildOptions { Method = method })}");
    }

    public static async Task ProgramsAsync()
    {
        SpawnOutput git = await SpawnedProcess.RunAsync("git", ["--version"]);
        Console.WriteLine($"{git.ExitStatus}: {git.Text}");
    }

    public static async Task PoolAsync()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        await foreach (int primes in pool.MapAsync(Enumerable.Range(0, 10), static i => CountPrimes(2 + i * 1000, 1002 + i * 1000)))
            Console.Write($"{primes} ");
        Console.WriteLine(pool.Statistics);
    }

    private static int CountPrimes(int from, int to) =>
        Enumerable.Range(from, to - from).Count(n => Enumerable.Range(2, (int)Math.Sqrt(n) - 1).All(d => n % d != 0));
}
