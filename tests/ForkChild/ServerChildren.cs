using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StartMethods.Interop;

namespace StartMethods.ForkChild;

/// <summary>
/// The same in children of a fork server whose preload has made it what FORKCHILD_PARENT names: every verb, and what needs both sides. Each scenario is called with the
/// number of the fork, so that its variants take turns.
/// </summary>
internal static class ServerChildren
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly (int Number, string Name)[] Signals = [(15, "SIGTERM"), (2, "SIGINT"), (3, "SIGQUIT"), (1, "SIGHUP"), (10, "SIGUSR1")];
    private static readonly SemaphoreSlim Handled = new(0);
    private static PosixSignalRegistration[] s_registrations = [];

    private static readonly Dictionary<string, Func<StartMethod, int, string?>> Together = new()
    {
        ["signals"] = (server, i) => Expect(server, $"killed by {Signals[i % 5].Name}", WaitForever, child => child.Signal((PosixSignal)Signals[i % 5].Number)),
        ["handled-signals"] = HandledSignals,
        ["unhandled"] = (server, i) => Expect(server, "killed by SIGABRT", (i % 2) switch
        {
            0 => static () => { new Thread(Throw).Start(); return WaitForever(); },
            _ => static () => { ThreadPool.UnsafeQueueUserWorkItem(static _ => Throw(), null); return WaitForever(); },
        }),
        ["failfast"] = (server, _) => Expect(server, "killed by SIGABRT", static () => { Environment.FailFast("expected by the test"); return 0; }),
        ["stack-overflow"] = (server, i) => Expect(server, "killed by SIGABRT", i % 2 == 0 ? static () => Deep(0) : static () => Task.Run(static () => Deep(0)).Result),
        ["exits"] = Exits,
        ["console"] = ConsoleText,
        ["generations"] = (server, _) => Expect(server, "exit 0", static () => Generation(3)),
        ["random"] = RandomNumbers,
        ["parked-spin"] = (server, _) => Expect(server, "exit 0", ParkedSpin),
    };

    internal static async Task<int> RunAsync(string[] verbs, int count)
    {
        string parent = Environment.GetEnvironmentVariable("FORKCHILD_PARENT") ?? "plain";
        await using ForkServer plain = new(new ForkServerOptions { Preload = () => Preload(parent) });
        await using ForkServer handling = new(new ForkServerOptions { Preload = () => { Preload(parent); RegisterHandlers(); } });
        await plain.StartAsync();
        if (plain.UnsupportedReason is { } reason)
        {
            Console.WriteLine($"no fork server: {reason}");
            return 1;
        }
        int wrong = 0;
        foreach (string verb in verbs)
        {
            ForkServer server = verb == "handled-signals" ? handling : plain;
            wrong += ForkLoop.Run(verb, Verbs.All.ContainsKey(verb) ? _ => Expect(server, "exit 0", () => Verbs.All[verb]()) : i => Together[verb](server, i), count);
        }
        return wrong == 0 ? 0 : 1;
    }

    private static void Preload(string parent)
    {
        Parents.Become(parent);
        Random.Shared.Next(); // so that there is a state that children could share
    }

    /// <summary>One child, by the way that applications take, which leaves with what its body returns.</summary>
    private static string? Expect(StartMethod server, string status, Func<int> body, Action<ChildProcess>? meanwhile = null, SpawnStdio? output = null)
    {
        ChildProcess child = ChildProcess.Start(() => Native.ExitNow(body()), new ChildOptions { Method = server, StandardError = SpawnStdio.Inherit, StandardOutput = output });
        meanwhile?.Invoke(child);
        bool ended = child.WaitForExit(Patience);
        if (!ended)
            child.Kill();
        child.DisposeAsync().AsTask().Wait();
        string seen = ended ? child.ExitStatus.ToString()!.Replace(" (core dumped)", "") : "HANG";
        return seen == status ? null : $"expected '{status}', was '{seen}'";
    }

    private static int WaitForever()
    {
        Thread.Sleep(TimeSpan.FromSeconds(12));
        return 77;
    }

    private static void Throw() => throw new InvalidOperationException("expected by the test");

    private static int Deep(int n) => Deep(n + 1) + Deep(n + 2);

    private static string? Exits(StartMethod server, int variant)
    {
        int code = new[] { 0, 1, 5, 255 }[variant / 2 % 4];
        return Expect(server, $"exit {code}", variant % 2 == 0 ? () => { Environment.Exit(code); return 98; } : () => code);
    }

    private static void RegisterHandlers()
    {
        static void Handle(PosixSignalContext context)
        {
            context.Cancel = true;
            Handled.Release();
        }
        s_registrations = [.. Signals.Select(signal => PosixSignalRegistration.Create((PosixSignal)signal.Number, Handle))];
    }

    /// <summary>A handler that the preload has registered runs in the child that the signal was sent to.</summary>
    private static string? HandledSignals(StartMethod server, int variant)
    {
        PosixSignal signal = (PosixSignal)Signals[variant % Signals.Length].Number;
        return Expect(server, "exit 0", static () =>
        {
            using FileStream output = new(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, 0);
            output.WriteByte(1);
            for (int i = 0; i < 4; i++)
            {
                if (!Handled.Wait(5000))
                    return 10 + i;
                output.WriteByte(1);
            }
            return s_registrations.Length == Signals.Length ? 0 : 20;
        }, child =>
        {
            child.StandardOutput!.ReadByte();
            for (int i = 0; i < 4; i++)
            {
                child.Signal(signal);
                child.StandardOutput!.ReadByte(); // two pending signals of one number are one: the next when this one was handled
            }
        }, SpawnStdio.Pipe);
    }

    private static string? ConsoleText(StartMethod server, int variant)
    {
        string text = "";
        string? wrong = Expect(server, "exit 0", () =>
        {
            Console.WriteLine($"child {variant}");
            Console.Out.Flush();
            return 0;
        }, child =>
        {
            using StreamReader reader = new(child.StandardOutput!);
            text = reader.ReadToEnd();
        }, SpawnStdio.Pipe);
        return wrong ?? (text == $"child {variant}\n" ? null : $"the console said '{text}'");
    }

    /// <summary>Children of children, forked and of fork servers of their own in turn.</summary>
    private static int Generation(int left)
    {
        if (Verbs.All["work"]() is not 0 and var wrong)
            return wrong;
        return left == 0 ? 0 : Expect(left % 2 == 0 ? StartMethod.ForkServer : StartMethod.Fork, "exit 0", () => Generation(left - 1)) is { } text ? Complain(text) : 0;
    }

    private static int Complain(string text)
    {
        Console.Error.WriteLine(text);
        return 1;
    }

    private static string? RandomNumbers(StartMethod server, int variant)
    {
        (long, Guid)[] drawn = [.. Enumerable.Range(0, 3).Select(_ => ChildProcess.RunAsync(static () => (Random.Shared.NextInt64(), Guid.NewGuid()), new ChildOptions { Method = server }).Result)];
        return drawn.Select(pair => pair.Item1).Distinct().Count() == 3 && drawn.Select(pair => pair.Item2).Distinct().Count() == 3 ? null : "two children drew the same number";
    }

    /// <summary>A pool worker that was parked at the fork runs a tight loop in the child: a collection must still be able to stop it.</summary>
    private static int ParkedSpin()
    {
        bool stop = false, started = false;
        Task spinner = Task.Run(() =>
        {
            Volatile.Write(ref started, true);
            while (!Volatile.Read(ref stop)) { }
        });
        SpinWait.SpinUntil(() => Volatile.Read(ref started));
        GC.Collect();
        GC.Collect();
        Volatile.Write(ref stop, true);
        return spinner.Wait(5000) ? 0 : 3;
    }
}
