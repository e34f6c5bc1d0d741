using System.Diagnostics;
using System.Linq.Expressions;
using System.Runtime.InteropServices;

namespace StartMethods.ForkChild;

/// <summary>What the forking process is like: FORKCHILD_PARENT names one, or several separated by commas.</summary>
internal static class Parents
{
    private static readonly Dictionary<string, Action> All = new()
    {
        ["plain"] = () => { },
        ["warm"] = Warm,
        ["jitting"] = () => Busy("Compiler", CompileOne),
        ["users"] = Users,
        ["throwing"] = Throwing,
        ["spinner"] = () => Busy("Spinner", () => { }),
        ["pool"] = BusyPool,
        ["collecting"] = Collecting,
    };

    internal static void Become(string names)
    {
        foreach (string name in names.Split(','))
            All[name]();
    }

    /// <summary>Everything that makes a thread or a descriptor of the runtime's was used once: pool, timer, sockets, signals, child processes.</summary>
    private static void Warm()
    {
        ThreadPool.SetMinThreads(4, 4);
        Parallel.For(0, 16, _ => Thread.SpinWait(20_000));
        Task.Delay(1).Wait();
        Verbs.All["sockets"]();
        using (Process process = Process.Start("/bin/true"))
            process.WaitForExit();
        if (!OperatingSystem.IsWindows())
            s_registration = PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => { });
    }

    private static PosixSignalRegistration? s_registration;

    private static void Busy(string name, Action step)
    {
        using ManualResetEventSlim running = new();
        new Thread(() =>
        {
            running.Set();
            while (true)
                step();
        }) { IsBackground = true, Name = name }.Start();
        running.Wait();
    }

    private static void CompileOne()
    {
        ParameterExpression x = Expression.Parameter(typeof(int));
        Expression.Lambda<Func<int, int>>(Expression.Add(x, Expression.Constant(1)), x).Compile()(1);
    }

    /// <summary>Three user threads that allocate, throw, lock and sleep.</summary>
    private static void Users()
    {
        object gate = new();
        int turn = 0;
        void Step()
        {
            byte[] garbage = new byte[Random.Shared.Next(10, 5000)];
            lock (gate)
                garbage[0] = 1;
            try { throw new InvalidOperationException(); }
            catch (InvalidOperationException) { }
            if (++turn % 50 == 0)
                Thread.Sleep(1);
        }
        for (int i = 0; i < 3; i++)
            Busy("User " + i, Step);
    }

    /// <summary>Eight threads that do nothing but throw: each exception takes a lock of the framework's.</summary>
    private static void Throwing()
    {
        for (int i = 0; i < 8; i++)
            Busy("Thrower " + i, () =>
            {
                try { throw new InvalidOperationException(); }
                catch (InvalidOperationException) { }
            });
    }

    private static void BusyPool()
    {
        for (int i = 0; i < 3; i++)
            Task.Run(async () =>
            {
                List<int[]> kept = [];
                while (true)
                {
                    kept.Add(new int[100]);
                    if (kept.Count > 1000)
                        kept = [];
                    if (Random.Shared.Next(100) == 0)
                        await Task.Yield();
                }
            });
    }

    /// <summary>One thread collects, the other allocates, so that collections of each generation follow each other.</summary>
    private static void Collecting()
    {
        List<byte[]> kept = [];
        // With no pause at all it starves whoever else wants to collect, in any process: without a fork, three collections beside it took up to two seconds.
        Busy("Collector", () =>
        {
            GC.Collect(Random.Shared.Next(3), GCCollectionMode.Forced, blocking: Random.Shared.Next(2) == 0);
            Thread.Sleep(1);
        });
        Busy("Allocator", () =>
        {
            kept.Add(new byte[Random.Shared.Next(10, 20_000)]);
            if (kept.Count > 500)
                kept.Clear();
        });
    }
}
