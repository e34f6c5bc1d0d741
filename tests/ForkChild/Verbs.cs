using System.Diagnostics;
using System.Globalization;
using System.Linq.Expressions;
using System.Net;
using System.Net.Sockets;
using System.Runtime;
using System.Runtime.CompilerServices;

namespace StartMethods.ForkChild;

/// <summary>What a child does; 0 = as it should be. Each also warms the parent so that the interesting threads exist there.</summary>
internal static class Verbs
{
    internal static readonly Dictionary<string, Func<int>> All = new()
    {
        ["nothing"] = () => 0,
        ["collect"] = Collect,
        ["finalizers"] = Finalizers,
        ["jit"] = Jit,
        ["tiers"] = Tiers,
        ["exceptions"] = Exceptions,
        ["throwing"] = Throwing,
        ["tasks"] = Tasks,
        ["threads"] = Threads,
        ["parallel"] = ParallelLoops,
        ["timers"] = Timers,
        ["sockets"] = Sockets,
        ["files"] = Files,
        ["process"] = StartProcess,
        ["culture"] = Culture,
        ["spin"] = Spin,
        ["pid"] = Pid,
        ["work"] = () => Collect() | Finalizers() | Jit() | Exceptions() | Tasks() | Spin(),
    };

    private static int Collect()
    {
        List<byte[]> kept = [];
        for (int i = 0; i < 200; i++)
            kept.Add(new byte[10_000]);
        for (int i = 0; i < 3; i++)
            GC.Collect();
        return kept.Count == 200 ? 0 : 1;
    }

    private sealed class Finalized
    {
        internal static int Count;
        ~Finalized() => Interlocked.Increment(ref Count);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void MakeGarbage()
    {
        for (int i = 0; i < 10; i++)
            _ = new Finalized();
    }

    private static int Finalizers()
    {
        int before = Finalized.Count;
        MakeGarbage();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Finalized.Count > before ? 0 : 2;
    }

    private static int Jit()
    {
        ParameterExpression x = Expression.Parameter(typeof(int));
        for (int i = 0; i < 5; i++)
        {
            int addend = i;
            if (Expression.Lambda<Func<int, int>>(Expression.Add(x, Expression.Constant(addend)), x).Compile()(1) != 1 + addend)
                return 4;
        }
        int sum = 0;
        for (int i = 0; i < 100_000; i++)
            sum += Step(i);
        return sum > 0 ? 0 : 4;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Step(int i) => i & 1;

    /// <summary>Methods that are called often are compiled again, by the runtime's own thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]   // this loop itself is never compiled again
    private static int Tiers()
    {
        if (Environment.GetEnvironmentVariable("DOTNET_TieredCompilation") == "0")
            return 0;
        Stopwatch time = Stopwatch.StartNew();
        long before = long.MaxValue;
        for (int pass = 0; time.ElapsedMilliseconds < 10_000; pass++, Thread.Sleep(1))
        {
            for (int i = 0; i < 100; i++)
                Warming<Unused>(i);
            if (pass == 3)
                before = JitInfo.GetCompiledMethodCount();
            if (JitInfo.GetCompiledMethodCount() > before)
                return 0;
        }
        return 5;
    }

    private struct Unused;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Warming<T>(int i) => Step(i) + Unsafe.SizeOf<T>();

    /// <summary>Each exception takes a lock of the framework's, for the text of its message: whoever waited for it at the fork may not be in the way.</summary>
    private static int Throwing()
    {
        Thread thread = new(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                try { throw new InvalidOperationException(); }
                catch (InvalidOperationException) { }
            }
        });
        thread.Start();
        return thread.Join(TimeSpan.FromSeconds(5)) ? 0 : 9;
    }

    private static int Exceptions()
    {
        for (int i = 0; i < 20; i++)
        {
            try
            {
                if (i % 2 == 0)
                    throw new InvalidOperationException();
                _ = Length(null!);
                return 8;
            }
            catch (InvalidOperationException) { }
            catch (NullReferenceException) { }
        }
        return Task.Run(() =>
        {
            try { return Length(null!); }
            catch (NullReferenceException) { return 0; }
        }).Result;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Length(string s) => s.Length;

    private static int Tasks() => Task.WhenAll(Enumerable.Range(0, 20).Select(async i => { await Task.Yield(); return i; })).Result.Sum() == 190 ? 0 : 16;

    private static int Threads()
    {
        int ran = 0;
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() => Interlocked.Increment(ref ran)))];
        foreach (Thread t in threads) t.Start();
        foreach (Thread t in threads) t.Join();
        return ran == 4 ? 0 : 32;
    }

    private static int ParallelLoops()
    {
        int sum = 0;
        Parallel.For(0, 1000, i => Interlocked.Add(ref sum, i));
        return sum == 499500 ? 0 : 1;
    }

    private static int Timers()
    {
        using ManualResetEventSlim ticked = new();
        using Timer timer = new(_ => ticked.Set(), null, 5, Timeout.Infinite);
        Task.Delay(5).Wait();
        return ticked.Wait(5000) ? 0 : 1;
    }

    private static int Sockets()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Task<Socket> accepting = listener.AcceptAsync();
        client.ConnectAsync(listener.LocalEndPoint!).Wait();
        using Socket server = accepting.Result;
        byte[] one = new byte[1];
        for (int i = 0; i < 20; i++)
        {
            Task<int> receiving = server.ReceiveAsync(one);
            client.SendAsync(new[] { (byte)i }).Wait();
            if (!receiving.Wait(5000) || one[0] != i)
                return 1;
        }
        return 0;
    }

    private static int Files()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        using (FileStream stream = new(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 4096, FileOptions.Asynchronous))
        {
            stream.WriteAsync(new byte[10_000]).AsTask().Wait();
            stream.Position = 0;
            if (stream.ReadAsync(new byte[10_000]).AsTask().Result == 0)
                return 1;
        }
        File.Move(path, path + ".moved");
        File.WriteAllText(path + ".moved", "text");
        int right = File.ReadAllTextAsync(path + ".moved").Result == "text" ? 0 : 1;
        File.Delete(path + ".moved");
        return right;
    }

    private static int StartProcess()
    {
        using Process process = Process.Start("/bin/sh", "-c \"exit 7\"");
        process.WaitForExit();
        return process.ExitCode == 7 ? 0 : 1;
    }

    /// <summary>A tight loop on a revived pool thread must not keep a collection waiting for ever.</summary>
    private static int Spin()
    {
        bool stop = false;
        Task[] spinners = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() => { while (!Volatile.Read(ref stop)) { } }))];
        for (int i = 0; i < 3; i++)
            GC.Collect();
        Volatile.Write(ref stop, true);
        return Task.WaitAll(spinners, 5000) ? 0 : 64;
    }

    private static int Pid() => Environment.ProcessId.ToString() == Path.GetFileName(File.ResolveLinkTarget("/proc/self", false)!.Name) ? 0 : 1;

    /// <summary>Formats, comparisons and time zones, of a culture that the parent has never used as well.</summary>
    private static int Culture()
    {
        CultureInfo culture = CultureInfo.GetCultureInfo("de-DE"), other = CultureInfo.GetCultureInfo("tr-TR");
        bool invariant = AppContext.TryGetSwitch("System.Globalization.Invariant", out bool on) && on;
        if (!invariant && (1234.5.ToString("N1", culture) != "1.234,5" || "I".ToLower(other) != "ı" || string.Compare("a", "B", culture, CompareOptions.None) >= 0))
            return 1;
        DateTime utc = new(2026, 7, 1, 12, 0, 0, DateTimeKind.Utc);
        if (TimeZoneInfo.ConvertTimeFromUtc(utc, TimeZoneInfo.Local) - utc != TimeZoneInfo.Local.GetUtcOffset(utc))
            return 2;
        return DateTime.Now > DateTime.UnixEpoch && Task.Run(() => CultureInfo.CurrentCulture.Name).Result == CultureInfo.CurrentCulture.Name ? 0 : 3;
    }
}
