using System.IO.Pipes;
using System.Runtime.InteropServices;
using StartMethods.Forking;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkChild;

/// <summary>What needs both sides: signals, crashes, exits, generations, random numbers. Each runs once and returns null, or what went wrong.</summary>
internal static class Scenarios
{
    /// <summary>Each is called with the number of the fork, so that its variants take turns.</summary>
    internal static readonly Dictionary<string, Func<int, string?>> All = new(Canaries.All.Concat(Diagnostics.All).Concat(AtRest.All).Concat(Rehearsals.All))
    {
        ["signals"] = Signals,
        ["handled-signals"] = HandledSignals,
        ["unhandled"] = Unhandled,
        ["failfast"] = _ => Expect(Fork(() => { Environment.FailFast("expected by the test"); return 0; }), "killed by SIGABRT", "FailFast"),
        ["stack-overflow"] = StackOverflow,
        ["exits"] = Exits,
        ["generations"] = _ => Expect(Fork(() => Generation(2)), "exit 0", "three generations"),
        ["random"] = _ => RandomNumbers.OfForkingThread(),
        ["random-workers"] = _ => RandomNumbers.OfWorkers(),
        ["parked-spin"] = ParkedSpin,
        ["births"] = Births,
        ["waiter-left-behind"] = _ => WaiterLeftBehind(),
        ["console"] = ConsoleText,
        ["console-handlers"] = CancelKey,
    };

    internal static ProcessLifetime Fork(Func<int> body) => Fork(body, out _);

    internal static ProcessLifetime Fork(Func<int> body, out ForkMeasures measures)
    {
        ForkOutcome outcome = ForkEngine.Fork(ForkLoop.Request);
        if (outcome.IsChild)
        {
            int code = 99;
            try { code = body(); }
            catch (Exception e) { Console.Error.WriteLine(e); }
            Native.ExitNow(code);
        }
        measures = outcome.Measures;
        return ProcessLifetime.OfChild(outcome.ProcessId, outcome.Pidfd);
    }

    internal static string? Expect(ProcessLifetime child, string status, string what)
    {
        if (!child.WaitForExit(TimeSpan.FromSeconds(15)))
        {
            ForkLoop.StopAtHang(child);
            child.Signal(9);
            child.WaitForExit(Timeout.InfiniteTimeSpan);
            return $"{what}: the child hung";
        }
        string seen = child.Status!.Value.ToString().Replace(" (core dumped)", "");
        return seen == status ? null : $"{what}: expected '{status}', was '{seen}'";
    }

    /// <summary>A thread that stays behind waits for a lock: those that live on still take it one after the other.</summary>
    private static string? WaiterLeftBehind()
    {
        object gate = new();
        Monitor.Enter(gate);
        Thread waiter = WaitFor(gate);
        string? wrong = Expect(Fork(() =>
        {
            Thread other = WaitFor(gate);
            Monitor.Exit(gate);
            return other.Join(TimeSpan.FromSeconds(10)) ? 0 : 1;
        }), "exit 0", "a lock for which one waits who was left behind");
        Monitor.Exit(gate);
        waiter.Join();
        return wrong;
    }

    private static Thread WaitFor(object gate)
    {
        Thread waiter = new(() => { lock (gate) { } }) { IsBackground = true };
        waiter.Start();
        SpinWait.SpinUntil(() => (waiter.ThreadState & System.Threading.ThreadState.WaitSleepJoin) != 0);
        return waiter;
    }

    internal static int WaitForever()
    {
        Thread.Sleep(TimeSpan.FromSeconds(12));
        return 77;
    }

    private static readonly (int Number, string Name)[] Numbers = [(15, "SIGTERM"), (2, "SIGINT"), (3, "SIGQUIT"), (1, "SIGHUP"), (10, "SIGUSR1")];

    /// <summary>With the default actions each signal ends the child it is sent to, and nobody else.</summary>
    private static string? Signals(int variant)
    {
        (int number, string name) = Numbers[variant % Numbers.Length];
        ProcessLifetime child = Fork(WaitForever);
        child.Signal(number);
        return Expect(child, $"killed by {name}", name);
    }

    /// <summary>A handler that was registered before the fork runs in the process that the signal was sent to, and only there.</summary>
    private static string? HandledSignals(int variant)
    {
        int number = Numbers[variant % Numbers.Length].Number, handled = 0;
        using SemaphoreSlim seen = new(0);
        using PosixSignalRegistration registration = PosixSignalRegistration.Create((PosixSignal)number, context =>
        {
            context.Cancel = true;
            Interlocked.Increment(ref handled);
            seen.Release();
        });
        using AnonymousPipeServerStream ready = new(PipeDirection.In);
        ProcessLifetime child = Fork(() =>
        {
            using SafeHandle writer = ready.ClientSafePipeHandle;
            RandomAccessWrite(writer);
            for (int i = 0; i < 4; i++)
            {
                if (!seen.Wait(5000))
                    return 10 + i;
                RandomAccessWrite(writer);
            }
            return handled == 4 ? 0 : 20;
        });
        ready.DisposeLocalCopyOfClientHandle();   // a child that dies ends the stream
        ready.ReadByte();
        for (int i = 0; i < 4; i++)
        {
            child.Signal(number);
            ready.ReadByte();   // two pending signals of one number are one: the next when this one was handled
        }
        return Expect(child, "exit 0", $"signal {number}") ?? (handled == 0 ? null : $"signal {number}: {handled} of the child's signals were handled in the parent");
    }

    /// <summary>Control-C is the child's alone where Console has a handler that the parent had registered.</summary>
    private static string? CancelKey(int variant)
    {
        int handled = 0;
        using ManualResetEventSlim pressed = new();
        void OnCancel(object? sender, ConsoleCancelEventArgs e)
        {
            e.Cancel = true;
            Interlocked.Increment(ref handled);
            pressed.Set();
        }
        Console.CancelKeyPress += OnCancel;
        try
        {
            ProcessLifetime child = Fork(() => pressed.Wait(5000) && handled == 1 ? 0 : 3);
            child.Signal(variant % 2 == 0 ? 2 : 3);
            return Expect(child, "exit 0", "control-C") ?? (handled == 0 ? null : "the child's control-C was handled in the parent");
        }
        finally
        {
            Console.CancelKeyPress -= OnCancel;
        }
    }

    private static void RandomAccessWrite(SafeHandle pipe)
    {
        using FileStream stream = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(pipe.DangerousGetHandle(), ownsHandle: false), FileAccess.Write, 0);
        stream.WriteByte(1);
    }

    private static string? Unhandled(int variant)
    {
        static void Throw() => throw new InvalidOperationException("expected by the test");
        Func<int> body = (variant % 3) switch
        {
            0 => () => { new Thread(Throw).Start(); return WaitForever(); },
            1 => () => { ThreadPool.UnsafeQueueUserWorkItem(_ => Throw(), null); return WaitForever(); },
            _ => () => { using Timer timer = new(_ => Throw(), null, 1, Timeout.Infinite); return WaitForever(); },
        };
        return Expect(Fork(body), "killed by SIGABRT", $"unhandled exception {variant % 3}");
    }

    private static string? StackOverflow(int variant) =>
        variant % 2 == 0 ? Expect(Fork(() => Deep(0)), "killed by SIGABRT", "stack overflow")
        : Expect(Fork(() => Task.Run(() => Deep(0)).Result), "killed by SIGABRT", "stack overflow of a pool thread");

    private static int Deep(int n) => Deep(n + 1) + Deep(n + 2);

    private static string? Exits(int variant)
    {
        int code = new[] { 0, 1, 5, 255 }[variant / 2 % 4];
        return variant % 2 == 0 ? Expect(Fork(() => { Environment.Exit(code); return 98; }), $"exit {code}", $"Environment.Exit({code})") : Expect(Fork(() => code), $"exit {code}", $"exit {code}");
    }

    /// <summary>What a child writes with Console arrives once, and after what its parent wrote before the fork.</summary>
    private static string? ConsoleText(int variant)
    {
        using AnonymousPipeServerStream pipe = new(PipeDirection.In);
        using StreamReader reader = new(pipe);
        ProcessLifetime child = Fork(() =>
        {
            if (Dup2((int)pipe.ClientSafePipeHandle.DangerousGetHandle(), 1) < 0)
                return 1;
            InheritedConsole.Forget();   // as in every child that gets standard streams of its own
            Console.WriteLine($"child {variant}");
            Console.Out.Flush();
            return 0;
        });
        pipe.DisposeLocalCopyOfClientHandle();
        string text = reader.ReadToEnd();
        return Expect(child, "exit 0", "console") ?? (text == $"child {variant}\n" ? null : $"console: '{text}'");
    }

    [DllImport("libc", EntryPoint = "dup2")]
    private static extern int Dup2(int from, int to);

    private static int Generation(int left)
    {
        if (Verbs.All["work"]() is not 0 and var wrong)
            return wrong;
        return left == 0 ? 0 : Expect(Fork(() => Generation(left - 1)), "exit 0", $"generation {left}") is { } text ? Complain(text) : 0;
    }

    private static int Complain(string text)
    {
        Console.Error.WriteLine(text);
        return 1;
    }

    /// <summary>A pool worker that was parked at the fork runs a tight loop in the child: a collection must still be able to stop it.</summary>
    private static string? ParkedSpin(int variant)
    {
        ThreadPool.SetMinThreads(3, 3);
        Parallel.For(0, 12, _ => Thread.SpinWait(50_000));
        bool stop = false, started = false;
        ProcessLifetime child = Fork(() =>
        {
            Task spinner = Task.Run(() => { started = true; while (!Volatile.Read(ref stop)) { } });
            SpinWait.SpinUntil(() => Volatile.Read(ref started));
            GC.Collect();
            GC.Collect();
            Volatile.Write(ref stop, true);
            return spinner.Wait(5000) ? 0 : 3;
        });
        return Expect(child, "exit 0", "a spinning pool thread");
    }

    private static int s_frozenWhenIdle = -1;

    /// <summary>
    /// Workers of the pool that are being born when the process is forked (DOTNET_ThreadPool_ThreadTimeoutMs=1: none lives long) are not left behind: the pool counts them.
    /// </summary>
    private static string? Births(int variant)
    {
        Thread.Sleep(2);
        bool isIdle = variant < 2;   // the second time with the thread that watches the first child
        if (isIdle)
            Thread.Sleep(300);
        else
            for (int i = 0; i < 4; i++)
                Task.Run(() => Thread.SpinWait(500));
        ProcessLifetime child = Fork(() => Tasks() ? 0 : 3, out ForkMeasures measures);
        if (isIdle)
            s_frozenWhenIdle = measures.Frozen;
        int left = measures.Frozen - s_frozenWhenIdle;
        return Expect(child, "exit 0", $"births ({left} left behind)") ?? (left <= 0 ? null : $"births: {left} of the runtime's threads were left behind");
    }

    private static bool Tasks() => Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Thread.SpinWait(500)))).Wait(10_000);
}
