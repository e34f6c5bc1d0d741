using System.Buffers.Binary;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using StartMethods.Forking;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkChild;

/// <summary>What needs both sides: signals, crashes, exits, generations, random numbers. Each runs once and returns null, or what went wrong.</summary>
internal static class Scenarios
{
    internal static readonly Dictionary<string, Func<string?>> All = new()
    {
        ["signals"] = Signals,
        ["handled-signals"] = HandledSignals,
        ["crashes"] = Crashes,
        ["exits"] = Exits,
        ["generations"] = Generations,
        ["random"] = RandomNumbers,
        ["parked-spin"] = ParkedSpin,
        ["console"] = () => null,
    };

    private static ProcessLifetime Fork(Func<int> body, ForkFlags flags = ForkFlags.None)
    {
        ForkOutcome outcome = ForkEngine.Fork(new ForkRequest { Flags = flags });
        if (outcome.IsChild)
        {
            int code = 99;
            try { code = body(); }
            catch (Exception e) { Console.Error.WriteLine(e); }
            Native.ExitNow(code);
        }
        return ProcessLifetime.OfChild(outcome.ProcessId, outcome.Pidfd);
    }

    private static string? Expect(ProcessLifetime child, string status, string what)
    {
        if (!child.WaitForExit(TimeSpan.FromSeconds(15)))
        {
            child.Signal(9);
            child.WaitForExit(Timeout.InfiniteTimeSpan);
            return $"{what}: the child hung";
        }
        string seen = child.Status!.Value.ToString().Replace(" (core dumped)", "");
        return seen == status ? null : $"{what}: expected '{status}', was '{seen}'";
    }

    private static int WaitForever()
    {
        Thread.Sleep(TimeSpan.FromSeconds(12));
        return 77;
    }

    /// <summary>With the default actions each signal ends the child it is sent to, and nobody else.</summary>
    private static string? Signals()
    {
        foreach ((int number, string name) in new[] { (15, "SIGTERM"), (2, "SIGINT"), (3, "SIGQUIT"), (1, "SIGHUP"), (10, "SIGUSR1") })
        {
            ProcessLifetime child = Fork(WaitForever);
            child.Signal(number);
            if (Expect(child, $"killed by {name}", name) is { } wrong)
                return wrong;
        }
        return null;
    }

    /// <summary>A handler that was registered before the fork runs in the process that the signal was sent to, and only there.</summary>
    private static string? HandledSignals()
    {
        int handled = 0;
        using SemaphoreSlim seen = new(0);
        void Handle(PosixSignalContext context)
        {
            context.Cancel = true;
            Interlocked.Increment(ref handled);
            seen.Release();
        }
        using PosixSignalRegistration hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Handle);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle);
        foreach (int number in new[] { 1, 15 })
        {
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
            if (Expect(child, "exit 0", $"signal {number}") is { } wrong)
                return wrong;
            if (handled != 0)
                return $"signal {number}: {handled} of the child's signals were handled in the parent";
        }
        return null;
    }

    private static void RandomAccessWrite(SafeHandle pipe)
    {
        using FileStream stream = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(pipe.DangerousGetHandle(), ownsHandle: false), FileAccess.Write, 0);
        stream.WriteByte(1);
    }

    private static string? Crashes() =>
        Expect(Fork(() => { Task.Run(() => { new Thread(() => throw new InvalidOperationException("expected by the test")).Start(); }).Wait(); return WaitForever(); }), "killed by SIGABRT", "unhandled exception")
        ?? Expect(Fork(() => { Environment.FailFast("expected by the test"); return 0; }), "killed by SIGABRT", "FailFast")
        ?? Expect(Fork(() => Deep(0)), "killed by SIGABRT", "stack overflow")
        ?? Expect(Fork(() => Task.Run(() => Deep(0)).Result), "killed by SIGABRT", "stack overflow of a pool thread");

    private static int Deep(int n) => Deep(n + 1) + Deep(n + 2);

    private static string? Exits()
    {
        foreach (int code in new[] { 0, 1, 5, 255 })
            if ((Expect(Fork(() => { Environment.Exit(code); return 98; }), $"exit {code}", $"Environment.Exit({code})") ?? Expect(Fork(() => code), $"exit {code}", $"exit {code}")) is { } wrong)
                return wrong;
        return null;
    }

    private static string? Generations() => Expect(Fork(() => Generation(5)), "exit 0", "five generations");

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

    /// <summary>Two children and their parent draw different numbers.</summary>
    private static string? RandomNumbers()
    {
        Random.Shared.Next();
        HashSet<long> seen = [];
        for (int i = 0; i < 3; i++)
        {
            using AnonymousPipeServerStream pipe = new(PipeDirection.In);
            ProcessLifetime child = Fork(() =>
            {
                byte[] bytes = new byte[8];
                BinaryPrimitives.WriteInt64LittleEndian(bytes, Random.Shared.NextInt64());
                using FileStream stream = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(pipe.ClientSafePipeHandle.DangerousGetHandle(), false), FileAccess.Write, 0);
                stream.Write(bytes);
                return 0;
            });
            byte[] drawn = new byte[8];
            pipe.ReadExactly(drawn);
            if (!seen.Add(BinaryPrimitives.ReadInt64LittleEndian(drawn)))
                return "two children drew the same number from Random.Shared";
            if (Expect(child, "exit 0", "random") is { } wrong)
                return wrong;
        }
        return seen.Add(Random.Shared.NextInt64()) ? null : "parent and child drew the same number";
    }

    /// <summary>A pool worker that was parked at the fork runs a tight loop in the child: a collection must still be able to stop it.</summary>
    private static string? ParkedSpin()
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
}
