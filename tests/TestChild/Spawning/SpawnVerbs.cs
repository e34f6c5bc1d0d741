using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using StartMethods;

namespace TestChild.Spawning;

/// <summary>Hosts in unusual surroundings that start programs.</summary>
internal static class SpawnVerbs
{
    internal static void AddTo(Dictionary<string, Verb> verbs)
    {
        verbs["exact-statuses"] = ExactStatuses;
        verbs["one-status"] = OneStatus;
        verbs["host-that-waits"] = HostThatWaits;
        verbs["host-that-starts"] = HostThatStarts;
        verbs["descriptor-limit"] = DescriptorLimit;
        verbs["count-descriptors"] = _ => Say($"{Directory.GetFileSystemEntries("/proc/self/fd").Length}");
    }

    private static Task<int> Say(string text)
    {
        Console.WriteLine(text);
        return Task.FromResult(0);
    }

    /// <summary>ROUNDS WITH-PROCESS: starts programs that end in every way, with Process.Start beside, and compares each status.</summary>
    private static async Task<int> ExactStatuses(string[] arguments)
    {
        int rounds = int.Parse(arguments[0]);
        bool withProcess = arguments[1] == "yes";
        using CancellationTokenSource over = new();
        Task<int> beside = withProcess ? Task.Run(() => Beside(over.Token)) : Task.FromResult(0);
        int wrong = 0;
        await Parallel.ForAsync(0, rounds, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) =>
        {
            string script = i % 4 == 3 ? "kill -KILL $$" : $"exit {i % 200}";
            string expected = i % 4 == 3 ? "killed by SIGKILL" : $"exit {i % 200}";
            await using SpawnedProcess process = SpawnedProcess.Start("/bin/sh", "-c", script);
            string actual = (await process.WaitForExitAsync()).ToString();
            if (actual != expected && Interlocked.Increment(ref wrong) < 5)
                Console.WriteLine($"{actual} instead of {expected}");
        });
        over.Cancel();
        int foreignWrong = await beside;
        Console.WriteLine($"{rounds} starts, {wrong} wrong; Process: {foreignWrong} wrong; pid {Environment.ProcessId}");
        return wrong + foreignWrong == 0 ? 0 : 1;
    }

    private static int Beside(CancellationToken over)
    {
        int wrong = 0;
        for (int i = 0; !over.IsCancellationRequested; i++)
        {
            using Process process = Process.Start("/bin/sh", ["-c", $"exit {i % 100}"]);
            process.WaitForExit();
            wrong += process.ExitCode == i % 100 ? 0 : 1;
        }
        return wrong;
    }

    /// <summary>DESCRIPTOR: starts one program with inherited standard descriptors and writes to the descriptor how it ended.</summary>
    private static async Task<int> OneStatus(string[] arguments)
    {
        await using FileStream report = new(new SafeFileHandle(int.Parse(arguments[0]), ownsHandle: false), FileAccess.Write, 1);
        await using SpawnedProcess process = SpawnedProcess.Start("/bin/sh", "-c", "echo out; echo err >&2; [ -e /proc/self/fd/0 ] && exit 42");
        ExitStatus status = await process.WaitForExitAsync();
        await report.WriteAsync(System.Text.Encoding.UTF8.GetBytes(status.ToString()));
        return 0;
    }

    /// <summary>Starts a program that dies with this host from a thread that ends at once, says its id, and waits for ever.</summary>
    private static async Task<int> HostThatWaits(string[] arguments)
    {
        SpawnedProcess? process = null;
        Thread starter = new(() => process = SpawnedProcess.Start(new SpawnInfo("sleep", "100") { KillOnParentExit = true }));
        starter.Start();
        starter.Join();
        await Task.Delay(100);
        Console.WriteLine(process!.HasExited ? "died with the thread" : $"{process.Id}");
        await Task.Delay(Timeout.Infinite);
        return 0;
    }

    /// <summary>MARK: starts programs that die with this host, for ever, saying so once.</summary>
    private static Task<int> HostThatStarts(string[] arguments)
    {
        for (bool first = true; ; first = false)
        {
            SpawnedProcess.Start(new SpawnInfo("sleep", arguments[0]) { KillOnParentExit = true });
            if (first)
                Console.WriteLine("starting");
        }
    }

    /// <summary>Starts programs with every descriptor taken, then again with room: clear errors, nothing lost, and it works again.</summary>
    private static async Task<int> DescriptorLimit(string[] arguments)
    {
        await SpawnedProcess.RunAsync("true", []);
        await using (SpawnedProcess limiter = SpawnedProcess.Start("prlimit", $"--pid={Environment.ProcessId}", "--nofile=200:200"))
            await limiter.WaitForExitAsync();
        int before = Directory.GetFileSystemEntries("/proc/self/fd").Length;
        List<SafeFileHandle> hoard = [];
        HashSet<string> errors = [];
        for (int room = 0; room < 12; room++)
        {
            Fill(hoard);
            for (int i = 0; i < room; i++)
            {
                hoard[^1].Dispose();
                hoard.RemoveAt(hoard.Count - 1);
            }
            try
            {
                await SpawnedProcess.RunAsync("true", []);
            }
            catch (StartMethodException e)
            {
                errors.Add(e.Message);
            }
        }
        hoard.ForEach(handle => handle.Dispose());
        SpawnOutput output = await SpawnedProcess.RunAsync("echo", ["works again"]);
        // The last pidfd is closed by the thread that saw its end, a moment after the end is told.
        int after = Directory.GetFileSystemEntries("/proc/self/fd").Length;
        for (int attempt = 0; after > before && attempt < 200; attempt++)
        {
            await Task.Delay(10);
            after = Directory.GetFileSystemEntries("/proc/self/fd").Length;
        }
        return await Say($"{string.Join("; ", errors)}|{Math.Max(0, after - before)} leaked|{output.Text.Trim()}");
    }

    private static void Fill(List<SafeFileHandle> hoard)
    {
        try
        {
            while (true)
                hoard.Add(File.OpenHandle("/dev/null"));
        }
        catch (IOException)
        {
            // All taken.
        }
    }
}
