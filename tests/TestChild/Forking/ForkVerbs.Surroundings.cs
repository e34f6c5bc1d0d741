using System.IO.MemoryMappedFiles;
using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using StartMethods;

namespace TestChild.Forking;

// Hooks, and forks from places where they must not happen.
internal static partial class ForkVerbs
{
    private static string Hooks()
    {
        List<string> seen = [];
        using IDisposable first = AtFork.Register(() => seen.Add("A"), () => seen.Add("C"), () => seen.Add("E"));
        using IDisposable second = AtFork.Register(() => seen.Add("B"), () => seen.Add("D"), () => seen.Add("F"));
        IDisposable gone = AtFork.Register(() => seen.Add("?"));
        gone.Dispose();
        // What a hook registers counts from the next fork on.
        using IDisposable nested = AtFork.Register(afterInParent: () => AtFork.Register(before: () => seen.Add("N")));
        (int reader, int writer) = Pipe();
        int pid = Posix.Fork();
        if (pid == 0)
        {
            using FileStream answer = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(writer, true), FileAccess.Write, 0);
            answer.Write(System.Text.Encoding.UTF8.GetBytes(string.Concat(seen)));
            Posix.Exit(0);
        }
        WaitBounded(pid);
        string parent = string.Concat(seen);
        byte[] buffer = new byte[64];
        using FileStream from = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(reader, true), FileAccess.Read, 0);
        string child = System.Text.Encoding.UTF8.GetString(buffer, 0, from.Read(buffer));
        seen.Clear();
        ForkAndWait(null, () => 0);
        return $"parent {parent}, child {child}, second {string.Concat(seen)}";
    }

    private static unsafe (int, int) Pipe()
    {
        int* ends = stackalloc int[2];
        return PipePair(ends) == 0 ? (ends[0], ends[1]) : throw new IOException("pipe");
    }

    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "pipe")]
    private static unsafe partial int PipePair(int* ends);

    private static string HookThrows()
    {
        List<string> seen = [];
        using IDisposable outer = AtFork.Register(() => seen.Add("outer?"), () => seen.Add("outer-parent?"));
        IDisposable failing = AtFork.Register(before: () => throw new InvalidDataException("not now"), afterInParent: () => seen.Add("failing-parent?"));
        using IDisposable inner = AtFork.Register(() => seen.Add("inner"), () => seen.Add("inner-parent"));
        string refused = Refused(null);
        failing.Dispose();
        using IDisposable late = AtFork.Register(afterInParent: () => throw new InvalidDataException("too late"));
        using IDisposable again = AtFork.Register(before: () => seen.Add(Refused(null)));
        return $"{refused}; {string.Join(' ', seen)}; {ForkAndWait(null, () => 6)}; {seen[^4]}";
    }

    /// <summary>A child of a child of a child …: each looks whether what it inherited has grown.</summary>
    private static string Generations(int depth)
    {
        int ran = 0;
        using IDisposable hook = AtFork.Register(afterInChild: () => ran++);
        return ForkAndWait(null, () => Next(1)).ToString();

        int Next(int level)
        {
            if (ran != level)
                return 50 + level;
            return level == depth ? 0 : ForkAndWait(null, () => Next(level + 1)).Code ?? 98;
        }
    }

    private static class InConstructor
    {
        internal static readonly string Result;

        static InConstructor() => Result = Refused(null);
    }

    private static string InPlugIn()
    {
        AssemblyLoadContext plugIn = new("plug-in");
        Type type = plugIn.LoadFromAssemblyPath(typeof(ForkVerbs).Assembly.Location).GetType(typeof(ForkVerbs).FullName!)!;
        return (string)type.GetMethod(nameof(Refused), BindingFlags.Static | BindingFlags.NonPublic)!.Invoke(null, [null])!;
    }

    // The plug-in is known by where it forked from, but not kept.
    private static string UnloadedPlugIn()
    {
        (WeakReference plugIn, string refused) = InCollectiblePlugIn();
        for (int i = 0; i < 20 && plugIn.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        return $"{refused} unloaded: {!plugIn.IsAlive}";
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (WeakReference, string) InCollectiblePlugIn()
    {
        AssemblyLoadContext plugIn = new("plug-in", isCollectible: true);
        Type type = plugIn.LoadFromAssemblyPath(typeof(ForkVerbs).Assembly.Location).GetType(typeof(ForkVerbs).FullName!)!;
        string refused = (string)type.GetMethod(nameof(Refused), BindingFlags.Static | BindingFlags.NonPublic)!.Invoke(null, [null])!;
        plugIn.Unload();
        return (new WeakReference(plugIn), refused);
    }

    private static string HandlerForks()
    {
        for (int i = 0; i < 3; i++)
            _ = ForkAndWait(null, () => 5);   // from now on the engine looks at threads first
        using ManualResetEventSlim end = new();
        Thread thread = new(() => end.Wait());
        thread.Start();
        string seen = "";
        ForkSafety.Warning += (_, _) => seen = ForkAndWait(new ForkOptions { Policy = UnsafeForkPolicy.Allow }, () => 6).ToString();
        ExitStatus status = ForkAndWait(new ForkOptions { Policy = UnsafeForkPolicy.Warn }, () => 7);
        end.Set();
        thread.Join();
        return $"{seen}, {status}";
    }

    private static string Look()
    {
        (int reader, int writer) = Pipe();
        using FileStream writing = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(writer, true), FileAccess.Write, 0);
        int pid = Posix.Fork();
        if (pid == 0)
        {
            using FileStream reading = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(reader, true), FileAccess.Read, 0);
            _ = reading.ReadByte();
            Posix.Exit(3);
        }
        bool ended = Posix.TryWait(pid, TimeSpan.Zero, out _);
        writing.WriteByte(1);
        return $"{ended} {WaitBounded(pid)}";
    }

    private sealed class Finalized(List<string> seen)
    {
        ~Finalized() => seen.Add(Refused(null));
    }

    private static string InFinalizer()
    {
        List<string> seen = [];
        Drop(seen);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return seen[0];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop(List<string> seen) => _ = new Finalized(seen);

    private static Task<int> AtExit(string policy)
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Console.WriteLine(Refused(new ForkOptions { Policy = Enum.Parse<UnsafeForkPolicy>(policy) }));
        return Task.FromResult(0);
    }

    private static string MappedMemory()
    {
        string result;
        using (MemoryMappedFile file = MemoryMappedFile.CreateNew(null, 4096))
        using (MemoryMappedViewAccessor view = file.CreateViewAccessor())
        {
            view.Write(0, 1);
            result = Refused(null);
        }
        return $"{result}\n{ForkAndWait(null, () => 2)}";
    }

    private static string PendingSocket()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        Task<Socket> accepting = listener.AcceptAsync();
        string pending = Refused(null);
        using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect(listener.LocalEndPoint!);
        using Socket server = accepting.Result;
        return $"{pending}\n{ForkAndWait(null, () => 2)}";
    }

    /// <summary>A child speaks on a connection that it keeps, and cannot on one that it does not.</summary>
    private static string SocketKept(bool kept)
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect(listener.LocalEndPoint!);
        using Socket server = listener.Accept();
        ForkOptions options = new();
        if (kept)
            options.KeptSockets.Add(server.SafeHandle);
        ExitStatus status = ForkAndWait(options, () =>
        {
            try
            {
                return server.Send("x"u8) == 1 ? 1 : 3;
            }
            catch (SocketException)
            {
                return 2;
            }
        });
        return $"{status}, {client.Available} bytes";
    }

    private static string BufferedConsole()
    {
        StreamWriter buffered = new(Console.OpenStandardOutput()) { AutoFlush = false };
        Console.SetOut(buffered);
        Console.Write("once ");
        ForkAndWait(null, () =>
        {
            Console.Write("child ");
            return 0;
        });
        string end = "parent";
        Console.Write(end);
        Console.Out.Flush();
        return "";
    }

    private static Task<int> ExitHandlers(string how)
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Console.WriteLine("handler");
        Console.WriteLine(how == "posix" ? ForkAndWait(null, () => 0).ToString() : ChildProcess.RunAsync(() => 5, new ChildOptions { Method = StartMethod.Fork }).Result.ToString());
        return Task.FromResult(0);
    }

    /// <summary>Four threads of the pool fork at once: hooks of two forks never interleave, every child is whole.</summary>
    private static string Concurrently()
    {
        int inside = 0, most = 0;
        using IDisposable hook = AtFork.Register(() => most = Math.Max(most, ++inside), () => inside--);
        Task<int>[] forks = [.. Enumerable.Range(0, 4).Select(n => Task.Run(() =>
        {
            int whole = 0;
            for (int i = 0; i < 5; i++)
                whole += ForkAndWait(new ForkOptions { Policy = UnsafeForkPolicy.Allow }, () => n + 1).Code == n + 1 ? 1 : 0;
            return whole;
        }))];
        return $"{forks.Sum(fork => fork.Result)} whole, at most {most} at once";
    }

    /// <summary>A thread of the application holds a lock until it is told otherwise; the child tells its own, if it has one, and wants the lock.</summary>
    private static string HeldLock(string threads)
    {
        object gate = new();
        using ManualResetEventSlim taken = new(), enough = new();
        Thread holder = new(() =>
        {
            lock (gate)
            {
                taken.Set();
                enough.Wait();
            }
        }) { Name = "holder" };
        holder.Start();
        taken.Wait();
        ForkOptions options = new() { Policy = UnsafeForkPolicy.Allow, Threads = Enum.Parse<ForkThreads>(threads) };
        ExitStatus status = ForkAndWait(options, () =>
        {
            enough.Set();
            return Monitor.TryEnter(gate, 3000) ? 1 : 2;
        });
        enough.Set();
        holder.Join();
        return status.ToString();
    }
}
