using System.Diagnostics;
using StartMethods;

namespace TestChild.ForkServers;

/// <summary>Applications whose fork servers live in a system that refuses them something.</summary>
internal static class ForkServerVerbs
{
    internal static void AddTo(Dictionary<string, Verb> verbs)
    {
        verbs["forkserver-refused"] = RefusedAsync;
        verbs["forkserver-processes"] = ProcessesAsync;
        verbs["forkserver-files"] = FilesAsync;
        verbs["forkserver-files-of-server"] = FilesOfServerAsync;
        verbs["forkserver-application"] = ApplicationAsync;
    }

    /// <summary>forkserver-refused fork|signal: starts children where no process can be forked, or where a forked one does not pass its self-check; says what came of it.</summary>
    private static async Task<int> RefusedAsync(string[] arguments)
    {
        if (arguments[0] == "fork")
            SystemCallFilter.RefuseForks();
        else
            SystemCallFilter.LoseHangups();
        List<string> warnings = [];
        TaskCompletionSource warned = new();
        await using ForkServer one = new(), other = new();
        foreach (ForkServer server in (ForkServer[])[one, other])
            server.Warning += (_, e) =>
            {
                lock (warnings)
                    warnings.Add(e.Message);
                warned.TrySetResult();
            };
        int[] squares = await Task.WhenAll(Enumerable.Range(1, 3).Select(i => ChildProcess.RunAsync(() => i * i, On(one))));
        Console.WriteLine($"results: {string.Join(' ', squares)} {await ChildProcess.RunAsync(static () => 16, On(other))}");
        await using ChildProcess child = ChildProcess.Start(static () => Environment.Exit(7), On(one));
        Console.WriteLine($"status: {await child.WaitForExitAsync()}, method: {child.Method.Name}");
        await warned.Task.WaitAsync(TimeSpan.FromSeconds(5));
        Console.WriteLine($"reason: {one.UnsupportedReason}");
        lock (warnings)
            Console.WriteLine($"warned {warnings.Count} times: {warnings[0]}");
        Console.WriteLine($"server: {one.ServerProcessId?.ToString() ?? "none"}");
        return 0;
    }

    /// <summary>forkserver-processes: a start while the server may make no process more (to be run by a user for whom RLIMIT_NPROC counts), and one after that.</summary>
    private static async Task<int> ProcessesAsync(string[] arguments)
    {
        await using ForkServer server = new();
        await server.StartAsync();
        int id = server.ServerProcessId!.Value;
        (ulong, ulong) before = ProcessLimit.Set(id, ProcessLimit.Processes, 0);
        await Try("at the limit", server);
        ProcessLimit.Set(id, ProcessLimit.Processes, before.Item1);
        await Try("after it", server);
        Console.WriteLine($"the same server: {server.ServerProcessId == id}");
        return 0;
    }

    /// <summary>forkserver-files: starts while this process has no descriptor left, or too few, and one after that.</summary>
    private static async Task<int> FilesAsync(string[] arguments)
    {
        await using ForkServer server = new();
        Console.WriteLine(await ChildProcess.RunAsync(static () => 1, On(server)));
        string[] open = Open(Environment.ProcessId);
        int free = LowestFree(Environment.ProcessId);
        (ulong, ulong) before = default;
        for (int more = 0; more < 16; more++)
        {
            (ulong, ulong) limit = ProcessLimit.Set(0, ProcessLimit.Files, (ulong)(free + more));
            before = more == 0 ? limit : before;
            await Try($"{more} more", server);
        }
        ProcessLimit.Set(0, ProcessLimit.Files, before.Item1);
        await Try("after it", server);
        await Closed(open.Length);
        return 0;
    }

    // What a child that could not be started has left open is closed when its process is reaped, which takes a moment.
    private static async Task Closed(int expected)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (Open(Environment.ProcessId).Length > expected && time.Elapsed < TimeSpan.FromSeconds(3))
            await Task.Delay(10);
        int more = Open(Environment.ProcessId).Length - expected;
        Console.WriteLine($"descriptors more than before: {(more > 0 ? $"{more}: {string.Join(", ", Open(Environment.ProcessId))}" : "0")}");
    }

    /// <summary>forkserver-files-of-server: starts while the server has no descriptor left, or too few, and one after that.</summary>
    private static async Task<int> FilesOfServerAsync(string[] arguments)
    {
        await using ForkServer server = new();
        await server.StartAsync();
        int id = server.ServerProcessId!.Value, open = Open(id).Length, free = LowestFree(id);
        (ulong, ulong) before = default;
        for (int more = 0; more < 16; more++)
        {
            (ulong, ulong) limit = ProcessLimit.Set(id, ProcessLimit.Files, (ulong)(free + more));
            before = more == 0 ? limit : before;
            await Try($"{more} more", server);
        }
        ProcessLimit.Set(id, ProcessLimit.Files, before.Item1);
        await Try("after it", server);
        Console.WriteLine($"the same server: {server.ServerProcessId == id}; its descriptors: {Open(id).Length - open} more than before");
        return 0;
    }

    /// <summary>forkserver-application: has a server, spare children and running children, says who they are, and waits to be killed.</summary>
    private static async Task<int> ApplicationAsync(string[] arguments)
    {
        await using ForkServer server = new(new ForkServerOptions { SpareChildren = 2 });
        await server.StartAsync();
        ChildProcess[] children = [.. Enumerable.Range(0, 2).Select(_ => ChildProcess.Start(static () => Thread.Sleep(Timeout.Infinite), On(server)))];
        string[] all;
        do
            all = [.. Directory.EnumerateDirectories("/proc/self/task").SelectMany(task => File.ReadAllText($"{task}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        while (all.Length < 5); // the spare children come by themselves
        Console.WriteLine(string.Join(' ', all));
        await Task.Delay(Timeout.Infinite);
        GC.KeepAlive(children);
        return 0;
    }

    private static async Task Try(string when, ForkServer server)
    {
        try
        {
            Console.WriteLine($"{when}: {await ChildProcess.RunAsync(static () => "its own result", On(server))}");
        }
        catch (Exception e)
        {
            Console.WriteLine($"{when}: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static string[] Open(int process) => [.. Directory.EnumerateFileSystemEntries($"/proc/{process}/fd").Select(link => new FileInfo(link).LinkTarget ?? "")];

    // The limit is on numbers: what is open above it stays open.
    private static int LowestFree(int process)
    {
        HashSet<int> taken = [.. Directory.EnumerateFileSystemEntries($"/proc/{process}/fd").Select(link => int.Parse(Path.GetFileName(link)))];
        return Enumerable.Range(0, int.MaxValue).First(number => !taken.Contains(number));
    }

    private static ChildOptions On(StartMethod method) => new() { Method = method };
}
