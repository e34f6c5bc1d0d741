using System.Diagnostics.Tracing;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using StartMethods;

namespace TestChild.Forking;

/// <summary>Processes that fork themselves, in which only the threads live that the verb starts: a test host has too many of its own.</summary>
internal static partial class ForkVerbs
{
    internal static void AddTo(Dictionary<string, Verb> verbs)
    {
        s_parent = Environment.ProcessId;
        verbs["fork-plain"] = _ => Now(() => Describe(ForkAndWait(null, () => Environment.ProcessId != s_parent ? 7 : 1)));
        verbs["fork-async"] = _ => FromAsync();
        verbs["fork-empty-report"] = _ => Now(() => ForkSafety.Inspect().ToString());
        verbs["fork-user-thread"] = arguments => Now(() => UserThread(arguments[0]));
        verbs["fork-thread-after-safe-forks"] = _ => Now(ThreadAfterSafeForks);
        verbs["fork-foreign-thread"] = arguments => Now(() => ForeignThread(arguments[0]));
        verbs["fork-busy-pool"] = _ => Now(BusyPool);
        verbs["fork-pool-churn"] = _ => Now(PoolChurn);
        verbs["fork-sockets"] = _ => Now(PendingSocket);
        verbs["fork-hooks"] = _ => Now(Hooks);
        verbs["fork-hook-throws"] = _ => Now(HookThrows);
        verbs["fork-generations"] = arguments => Now(() => Generations(int.Parse(arguments[0])));
        verbs["fork-static-constructor"] = _ => Now(() => { try { return InConstructor.Result; } catch (TypeInitializationException e) { return e.InnerException!.Message; } });
        verbs["fork-load-context"] = _ => Now(InPlugIn);
        verbs["fork-unloaded-context"] = _ => Now(UnloadedPlugIn);
        verbs["fork-from-handler"] = _ => Now(HandlerForks);
        verbs["fork-look"] = _ => Now(Look);
        verbs["fork-finalizer"] = _ => Now(InFinalizer);
        verbs["fork-at-exit"] = arguments => AtExit(arguments[0]);
        verbs["fork-mapped-memory"] = _ => Now(MappedMemory);
        verbs["fork-huge-pages"] = _ => Now(OnHugePages);
        verbs["fork-crash-dumps"] = _ => Now(() => Refused(null));
        verbs["fork-pty"] = _ => Now(Pty);
        verbs["fork-console"] = _ => Now(BufferedConsole);
        verbs["fork-exit-handlers"] = arguments => ExitHandlers(arguments[0]);
        verbs["fork-concurrently"] = _ => Now(Concurrently);
        verbs["fork-lock"] = arguments => Now(() => HeldLock(arguments[0]));
        verbs["fork-socket-kept"] = arguments => Now(() => SocketKept(arguments[0] == "kept"));
        ForkMethodVerbs.AddTo(verbs);
        CanaryVerbs.AddTo(verbs);
        TracerVerbs.AddTo(verbs);
    }

    private static int s_parent;

    internal static Task<int> Now(Func<string> body)
    {
        Console.WriteLine(body());
        return Task.FromResult(0);
    }

    /// <summary>Forks; the child leaves with what the body returns.</summary>
    internal static ExitStatus ForkAndWait(ForkOptions? options, Func<int> body)
    {
        int pid = Posix.Fork(options);
        if (pid != 0)
            return WaitBounded(pid);
        int code = 99;
        try
        {
            code = body();
        }
        catch (Exception e)
        {
            Console.Error.WriteLine(e);
        }
        Posix.Exit(code);
        return default;
    }

    internal static ExitStatus WaitBounded(int pid)
    {
        if (Posix.TryWait(pid, TimeSpan.FromSeconds(15), out ExitStatus? status))
            return status.Value;
        _ = Kill(pid, 9);
        Posix.Wait(pid);
        throw new TimeoutException("the child hung");
    }

    internal static string Describe(ExitStatus status) => status.ToString();

    internal static string Refused(ForkOptions? options)
    {
        try
        {
            return "not refused: " + ForkAndWait(options, () => 0);
        }
        catch (Exception e)
        {
            return $"{e.GetType().Name}: {e.Message}";
        }
    }

    private static async Task<int> FromAsync()
    {
        await Task.Delay(20);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Thread.Sleep(5)))); // workers that idle afterwards
        Console.WriteLine($"{Thread.CurrentThread.IsThreadPoolThread} {ForkAndWait(null, () => Task.Run(() => 8).Result)}");
        return 0;
    }

    private static string UserThread(string policy)
    {
        using ManualResetEventSlim end = new();
        Thread thread = new(() => end.Wait()) { Name = "book keeper" };
        thread.Start();
        List<string> seen = [];
        using Listener listener = new(text => seen.Add("event " + text));
        ForkSafety.Warning += (_, e) => seen.Add($"warning of {e.Report.Findings.Count(f => f.IsUnsafe)} at {e.CallSite.Split(' ')[0]}");
        try
        {
            ForkOptions options = new() { Policy = policy == "default" ? null : Enum.Parse<UnsafeForkPolicy>(policy) };
            for (int i = 0; i < 2; i++)
                seen.Add(Refused(options));
        }
        finally
        {
            end.Set();
            thread.Join();
        }
        seen.Add(ForkAndWait(null, () => seen.Count > 0 ? 5 : 6).ToString());
        return string.Join('\n', seen);
    }

    // After a fork that was safe the engine looks at the threads itself: what it finds has to be told as before.
    private static string ThreadAfterSafeForks()
    {
        List<string> seen = [];
        for (int i = 0; i < 3; i++)
            seen.Add(ForkAndWait(null, () => 5).ToString());
        using ManualResetEventSlim end = new();
        Thread thread = new(() => end.Wait()) { Name = "book keeper" };
        thread.Start();
        seen.Add(Refused(null));
        seen.Add(Refused(null));
        end.Set();
        thread.Join();
        for (int i = 0; i < 3; i++)
            seen.Add(ForkAndWait(null, () => 6).ToString());
        return string.Join('\n', seen);
    }

    private sealed class Listener(Action<string> seen) : EventListener
    {
        private readonly int _process = Environment.ProcessId;

        protected override void OnEventSourceCreated(EventSource source)
        {
            if (source.Name == "StartMethods")
                EnableEvents(source, EventLevel.Warning);
        }

        protected override void OnEventWritten(EventWrittenEventArgs e)
        {
            if (e.EventName == "UnsafeFork" && Environment.ProcessId == _process)
                seen(e.EventName);
        }
    }

    /// <summary>A thread that only the C library knows: pthread_create of pause(2).</summary>
    private static string ForeignThread(string policy)
    {
        nint libc = NativeLibrary.Load("libc.so.6");
        // It reads a pipe in which nothing comes: unlike pause(2), that outlives the signal with which threads are looked at.
        using System.IO.Pipes.AnonymousPipeServerStream pipe = new(System.IO.Pipes.PipeDirection.Out);
        nint file = OpenStream((int)pipe.ClientSafePipeHandle.DangerousGetHandle(), "r");
        if (CreateThread(out _, 0, NativeLibrary.GetExport(libc, "fgetc"), file) != 0)
            return "no thread";
        List<string> seen = [];
        ForkSafety.Warning += (_, e) => seen.Add($"{Environment.ProcessId == s_parent} {string.Join(',', e.Report.Findings.Where(f => f.IsUnsafe).Select(f => f.Kind))}");
        ExitStatus? status = null;
        try
        {
            status = ForkAndWait(new ForkOptions { Policy = Enum.Parse<UnsafeForkPolicy>(policy) }, () => seen.Count == 1 || policy != "Warn" ? 3 : 4);
        }
        catch (UnsafeForkException e)
        {
            seen.Add(e.Message);
        }
        return $"{status}|{string.Join('\n', seen)}";
    }

    // DOTNET_ThreadPool_ThreadTimeoutMs=1: workers are born and die all the time.
    private static string PoolChurn()
    {
        for (int i = 0; i < 300; i++)
        {
            Task.WaitAll([Task.Run(() => Thread.SpinWait(1000)), Task.Run(() => Thread.SpinWait(1000))]);
            Thread.Sleep(1);
            if (ForkSafety.Inspect() is { IsSafe: false } report)
                return $"{i}: {report}";
        }
        return "always safe";
    }

    private static string BusyPool()
    {
        using ManualResetEventSlim end = new(), started = new();
        Task busy = Task.Run(() => { started.Set(); end.Wait(); });
        started.Wait();
        string refused = Refused(null);
        end.Set();
        busy.Wait();
        return refused + "\n" + ForkAndWait(null, () => 0);
    }

    [LibraryImport("libc", EntryPoint = "pthread_create")]
    private static partial int CreateThread(out nint thread, nint attributes, nint start, nint argument);

    [LibraryImport("libc", EntryPoint = "fdopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenStream(int descriptor, string mode);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);

    private static string Pty()
    {
        int pid = Posix.ForkPty(out SafeFileHandle? terminal);
        if (pid == 0)
        {
            bool leads = SetSession() == -1, tty = IsTerminal(0) == 1 && IsTerminal(1) == 1 && IsTerminal(2) == 1;
            Console.WriteLine($"child: leads {leads}, terminal {tty}, {terminal is null}, read {new StreamReader(Console.OpenStandardInput()).ReadLine()}");
            Posix.Exit(4);
        }
        using FileStream stream = new(terminal!, FileAccess.ReadWrite, bufferSize: 0);
        stream.Write("typed\n"u8);
        StringBuilder text = new();
        byte[] buffer = new byte[256];
        try
        {
            for (int got; (got = stream.Read(buffer)) > 0;)
                text.Append(Encoding.UTF8.GetString(buffer, 0, got));
        }
        catch (IOException)
        {
            text.Append("<end>"); // EIO: the child has closed its side
        }
        return text.Replace("\r\n", "/") + " " + WaitBounded(pid);
    }

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int SetSession();

    [LibraryImport("libc", EntryPoint = "isatty")]
    private static partial int IsTerminal(int descriptor);
}
