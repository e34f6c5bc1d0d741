using StartMethods;

namespace TestChild.Forking;

/// <summary>Children of StartMethod.Fork.</summary>
internal static class ForkMethodVerbs
{
    private static int s_state;

    internal static void AddTo(Dictionary<string, Verb> verbs)
    {
        verbs["forked-results"] = _ => Results();
        verbs["forked-failures"] = _ => Failures();
        verbs["forked-surroundings"] = _ => InSurroundings();
        verbs["forked-allowed"] = _ => Allowed();
        verbs["forked-many"] = arguments => Many(int.Parse(arguments[0]));
    }

    private static ChildOptions Forked => new() { Method = StartMethod.Get("fork"), StandardError = SpawnStdio.Inherit };

    private static async Task<int> Results()
    {
        // What cannot travel is there: the heap is inherited.
        using CancellationTokenSource source = new();
        Dictionary<object, object> graph = new() { [source] = Thread.CurrentThread };
        s_state = 41;
        Console.WriteLine(await ChildProcess.RunAsync(() => { s_state++; return graph.Count + s_state; }, Forked));
        Console.WriteLine(s_state);
        Console.WriteLine(await ChildProcess.RunAsync(async () => { await Task.Delay(10); return ChildProcess.Current!.Method.Name; }, Forked));
        Console.WriteLine(await ChildProcess.RunAsync(static x => x.Token.IsCancellationRequested, source, Forked));
        Console.WriteLine(await ChildProcess.RunAsync(() => Environment.ProcessId == ChildProcess.Current!.ParentId, Forked));
        Console.WriteLine(await ChildProcess.RunAsync(() => ChildProcess.RunAsync(() => "grandchild", Forked), Forked));
        return 0;
    }

    private static async Task<int> Failures()
    {
        try
        {
            await ChildProcess.RunAsync(() => { throw new InvalidDataException("broken"); }, Forked);
        }
        catch (InvalidDataException e)
        {
            Console.WriteLine($"{e.GetType().Name} {e.Message}");
        }
        try
        {
            await ChildProcess.RunAsync(() => Environment.FailFast("gone"), new ChildOptions { Method = StartMethod.Fork });
        }
        catch (ChildCrashedException e)
        {
            Console.WriteLine($"{e.ExitStatus} {e.Message.Contains("ForkMethodVerbs", StringComparison.Ordinal)}");
        }
        await using ChildProcess<int> child = ChildProcess.Start(() => { Thread.Sleep(60_000); return 1; }, Forked);
        child.Kill();
        Console.WriteLine(await child.WaitForExitAsync());
        using CancellationTokenSource source = new(100);
        try
        {
            await ChildProcess.RunAsync(async token => { await Task.Delay(60_000, token); }, Forked, source.Token);
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine("cancelled");
        }
        return 0;
    }

    private static async Task<int> InSurroundings()
    {
        ChildOptions options = new()
        {
            Method = StartMethod.Fork, Environment = { ["COLOUR"] = "blue" }, WorkingDirectory = "/tmp", StandardOutput = SpawnStdio.Pipe, StandardInput = SpawnStdio.Pipe,
        };
        Console.WriteLine("parent");
        await using ChildProcess<string> child = ChildProcess.Start(() =>
        {
            Console.WriteLine($"read {Console.ReadLine()}");
            return $"{Environment.GetEnvironmentVariable("COLOUR")} {Environment.CurrentDirectory}";
        }, options);
        await using (StreamWriter input = new(child.StandardInput!))
            await input.WriteLineAsync("hello");
        using StreamReader output = new(child.StandardOutput!);
        Console.WriteLine($"{await output.ReadToEndAsync()}{await child.Result}; {Environment.GetEnvironmentVariable("COLOUR") is null} {Environment.CurrentDirectory == "/tmp"}");
        return 0;
    }

    private static async Task<int> Allowed()
    {
        using ManualResetEventSlim end = new();
        Thread thread = new(end.Wait);
        thread.Start();
        StartMethod method = StartMethod.ForkWith(new ForkOptions { Policy = UnsafeForkPolicy.Allow });
        Console.WriteLine(await ChildProcess.RunAsync(() => 6 * 7, new ChildOptions { Method = method }));
        end.Set();
        thread.Join();
        return 0;
    }

    private static async Task<int> Many(int count)
    {
        int sum = 0, active = 0;
        for (int i = 0; i < count; i++)
        {
            int number = i;
            sum += await ChildProcess.RunAsync(() => number, Forked);
            active += ChildProcess.Active.Count;
        }
        Console.WriteLine($"{sum} {Directory.GetFiles("/proc/self/fd").Length < 60} {active}");
        return 0;
    }
}
