using System.Globalization;
using System.Runtime.InteropServices;
using StartMethods;
using TestChild.ForkServers;

namespace TestChild.Spawning;

/// <summary>Hosts that run out of something, or are disturbed, while they start programs and functions.</summary>
internal static partial class FaultVerbs
{
    internal static void AddTo(Dictionary<string, Verb> verbs)
    {
        verbs["process-limit"] = ProcessLimit;
        verbs["no-files"] = NoFiles;
        verbs["signal-storm"] = SignalStorm;
        verbs["group-leader"] = GroupLeader;
    }

    /// <summary>process-limit CGROUP: this process is in a pids cgroup, which is full for two starts and then has room again.</summary>
    private static Task<int> ProcessLimit(string[] arguments)
    {
        string limit = Path.Combine(arguments[0], "pids.max");
        StartAndWait(); // what a first start makes once
        File.WriteAllText(limit, File.ReadAllText(Path.Combine(arguments[0], "pids.current")).Trim());
        string program = ErrorOf(StartAndWait);
        string function = ErrorOf(() => ChildProcess.Start(static () => 1, new ChildOptions { Method = StartMethod.Spawn }));
        File.WriteAllText(limit, "max");
        Console.WriteLine($"{program}|{function}|{ErrorOf(StartAndWait)}");
        return Task.FromResult(0);
    }

    /// <summary>The system has no file left for a pipe or a socket pair.</summary>
    private static async Task<int> NoFiles(string[] arguments)
    {
        await SpawnedProcess.RunAsync("true", []);
        Console.WriteLine("up"); // the runtime makes a pipe of its own for its first line
        int before = Directory.GetFileSystemEntries("/proc/self/fd").Length;
        SystemCallFilter.RefusePipes();
        string program = ErrorOf(() => SpawnedProcess.Start(new SpawnInfo("true") { StandardOutput = SpawnStdio.Pipe }));
        string function = ErrorOf(() => ChildProcess.Start(static () => 1, new ChildOptions { Method = StartMethod.Spawn }));
        StartAndWait(); // needs neither
        Console.WriteLine($"{program}|{function}|{Directory.GetFileSystemEntries("/proc/self/fd").Length - before} leaked");
        return 0;
    }

    /// <summary>signal-storm ROUNDS: every thread is interrupted a thousand times a second, by a handler without SA_RESTART.</summary>
    private static async Task<int> SignalStorm(string[] arguments)
    {
        byte[] data = new byte[3_000_000];
        Random.Shared.NextBytes(data);
        using CancellationTokenSource over = new();
        long interruptions = 0;
        Thread storm = new(() => interruptions = Interrupt(over.Token)) { IsBackground = true };
        storm.Start();
        int wrong = 0, rounds = int.Parse(arguments[0], CultureInfo.InvariantCulture);
        for (int i = 0; i < rounds; i++)
        {
            byte[] echo = await ChildProcess.RunAsync(static bytes => { Array.Reverse(bytes); return bytes; }, data, new ChildOptions { Method = StartMethod.Spawn });
            wrong += echo.AsSpan().SequenceEqual(data.Reverse().ToArray()) ? 0 : 1;
            SpawnOutput output = await SpawnedProcess.RunAsync("cat", [], new SpawnRunOptions { Input = data.AsMemory(0, 300_000) });
            wrong += output.OutputBytes.Span.SequenceEqual(data.AsSpan(0, 300_000)) ? 0 : 1;
            for (int n = 0; n < 20; n++)
            {
                SpawnedProcess process = SpawnedProcess.Start("/bin/sh", "-c", $"exit {n}");
                wrong += process.WaitForExit(TimeSpan.FromSeconds(20)) && process.ExitStatus?.Code == n ? 0 : 1;
            }
        }
        await over.CancelAsync();
        storm.Join();
        Console.WriteLine($"{wrong} wrong|{(interruptions > 1000 ? "many" : interruptions)} interruptions");
        return 0;
    }

    private static long Interrupt(CancellationToken over)
    {
        const int user2 = 12;
        // A function of the C library serves as a handler that does nothing: managed code must not run in one.
        SignalAction action = new() { Handler = NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "getpid") };
        Sigaction(user2, ref action, 0);
        int here = Gettid();
        long sent = 0;
        while (!over.IsCancellationRequested)
        {
            foreach (string task in Directory.EnumerateDirectories("/proc/self/task"))
                if (int.Parse(Path.GetFileName(task), CultureInfo.InvariantCulture) is var id && id != here && Tgkill(Environment.ProcessId, id, user2) == 0)
                    sent++;
            over.WaitHandle.WaitOne(1);
        }
        return sent;
    }

    /// <summary>Starts one of each kind, says "ready", waits for Ctrl-C, and says 3 s later at most which of them have ended and how.</summary>
    private static async Task<int> GroupLeader(string[] arguments)
    {
        TaskCompletionSource interrupted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int count = 0;
        using PosixSignalRegistration registration = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
        {
            context.Cancel = true;
            Interlocked.Increment(ref count);
            interrupted.TrySetResult();
        });
        SpawnedProcess same = SpawnedProcess.Start("sleep", "60");
        SpawnedProcess own = SpawnedProcess.Start(new SpawnInfo("sleep", "60") { ProcessGroup = 0 });
        ChildProcess<int> child = ChildProcess.Start(static () => { Console.WriteLine("up"); Thread.Sleep(60_000); return 1; }, new ChildOptions { Method = StartMethod.Get(arguments[0]) });
        await interrupted.Task;
        await Task.WhenAny(Task.WhenAll(same.WaitForExitAsync(), child.WaitForExitAsync()), Task.Delay(3000));
        Console.WriteLine($"{count} interrupt|{Status(same.ExitStatus)}|{Status(own.ExitStatus)}|{Status(child.ExitStatus)}");
        own.Kill();
        same.Kill();
        child.Kill();
        await own.WaitForExitAsync();
        return 0;
    }

    private static string Status(ExitStatus? status) => status?.ToString() ?? "runs";

    private static void StartAndWait() => SpawnedProcess.Start("true").WaitForExit();

    private static string ErrorOf(Action action)
    {
        try
        {
            action();
            return "works";
        }
        catch (StartMethodException e)
        {
            return $"{e.GetType().Name}: {e.Message}";
        }
    }

    [StructLayout(LayoutKind.Sequential, Size = 152)]
    private struct SignalAction
    {
        internal nint Handler;
    }

    [LibraryImport("libc", EntryPoint = "sigaction")]
    private static partial int Sigaction(int signal, ref SignalAction action, nint old);

    [LibraryImport("libc", EntryPoint = "tgkill")]
    private static partial int Tgkill(int process, int thread, int signal);

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int Gettid();
}
