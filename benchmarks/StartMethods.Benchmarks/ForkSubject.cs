using System.IO.Pipes;
using System.Linq.Expressions;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StartMethods.Forking;
using StartMethods.Interop;

namespace StartMethods.Benchmarks;

/// <summary>
/// A process that forks itself, this program with the arguments <c>subject MODE MEGABYTES MAPPINGS THREADS</c>: it says how much anonymous memory (KB) and how many mappings
/// it has, then takes samples as the reference programs do.
/// </summary>
internal static partial class ForkSubject
{
    private static readonly ForkOptions Runtime = new() { Policy = UnsafeForkPolicy.Allow }, All = new() { Policy = UnsafeForkPolicy.Allow, Threads = ForkThreads.All },
        Huge = new() { Policy = UnsafeForkPolicy.Allow, HugePages = true };

    internal static ReferenceProgram Start(string mode, int megabytes = 0, int mappings = 0, int threads = 0) => ReferenceProgram.Own("subject", mode, $"{megabytes}", $"{mappings}", $"{threads}");

    internal static ReferenceProgram Start(string mode, (string Name, string Value) setting) => ReferenceProgram.Own([setting], "subject", mode, "0", "0", "0");

    internal static int Run(string[] arguments)
    {
        using Ballast heap = new(int.Parse(arguments[1]));
        AddMappings(int.Parse(arguments[2]));
        AddThreads(int.Parse(arguments[3]));
        Func<double> measure = Measure(arguments[0]);
        for (int i = 0; i < 3; i++)
            measure();
        GC.Collect();
        Console.WriteLine($"{Anonymous()} {File.ReadLines("/proc/self/maps").Count()}");
        while (Console.In.ReadLine() is { } line)
            Console.WriteLine(string.Join(' ', Enumerable.Range(0, int.Parse(line)).Select(_ => measure().ToString("F3"))));
        return 0;
    }

    private static Func<double> Measure(string mode) => mode switch
    {
        "start" => () => Start(Runtime),
        "start-all" => () => Start(All),
        "start-huge" => () => Start(Huge),
        "raw" => RawFork(),
        "run" => RunFunction,
        "child" => FirstInstruction,
        "rate" => Rate,
        "pty-rate" => TerminalRate,
        "pty-echo" => TerminalEcho(),
        "revival" => Revival(),
        _ => throw new ArgumentException(mode),
    };

    private static double Start(ForkOptions options)
    {
        long begin = Stopwatch.GetTimestamp();
        int child = Posix.Fork(options);
        if (child == 0)
            Posix.Exit(0);
        Posix.Wait(child);
        return Stopwatch.GetElapsedTime(begin).TotalMicroseconds;
    }

    private static double RunFunction()
    {
        long begin = Stopwatch.GetTimestamp();
        _ = ChildProcess.RunAsync(static () => 42, new ChildOptions { Method = StartMethod.Fork }).GetAwaiter().GetResult();
        return Stopwatch.GetElapsedTime(begin).TotalMicroseconds;
    }

    private static readonly AnonymousPipeServerStream Times = new(PipeDirection.In, HandleInheritability.None);

    // The clock is the machine's: CLOCK_MONOTONIC means the same in every process.
    private static double FirstInstruction()
    {
        SafePipeHandle writer = Times.ClientSafePipeHandle;
        long begin = Stopwatch.GetTimestamp();
        int child = Posix.Fork(Runtime);
        if (child == 0)
        {
            long now = Stopwatch.GetTimestamp();
            using FileStream stream = new(new SafeFileHandle(writer.DangerousGetHandle(), ownsHandle: false), FileAccess.Write, 0);
            stream.Write(BitConverter.GetBytes(now));
            Posix.Exit(0);
        }
        byte[] time = new byte[8];
        Times.ReadExactly(time);
        Posix.Wait(child);
        return Stopwatch.GetElapsedTime(begin, BitConverter.ToInt64(time)).TotalMicroseconds;
    }

    private static double Rate()
    {
        const int count = 100;
        long begin = Stopwatch.GetTimestamp();
        int before = 0;
        for (int i = 0; i < count; i++)
        {
            int child = Posix.Fork(Runtime);
            if (child == 0)
                Posix.Exit(0);
            if (before != 0)
                Posix.Wait(before);
            before = child;
        }
        Posix.Wait(before);
        return count / Stopwatch.GetElapsedTime(begin).TotalSeconds;
    }

    /// <summary>What the child takes from the clone until its runtime is whole, next to a thread that always holds locks of the runtime.</summary>
    private static Func<double> Revival()
    {
        new Thread(static () =>
        {
            ParameterExpression x = Expression.Parameter(typeof(int));
            while (true)
                Expression.Lambda<Func<int, int>>(Expression.Add(x, Expression.Constant(1)), x).Compile()(1);
        }) { IsBackground = true }.Start();
        return static () =>
        {
            ForkOutcome outcome = ForkEngine.Fork(new ForkRequest { Flags = ForkFlags.ReviveAll });
            if (outcome.IsChild)
                Native.ExitNow(0);
            outcome.Pidfd!.Dispose();
            Posix.Wait(outcome.ProcessId);
            return outcome.Measures.Revival.TotalMicroseconds;
        };
    }

    private static void AddThreads(int count)
    {
        for (int i = 0; i < count; i++)
        {
            using ManualResetEventSlim running = new();
            new Thread(() =>
            {
                running.Set();
                Thread.Sleep(Timeout.Infinite);
            }) { IsBackground = true, Name = $"waiting {i}" }.Start();
            running.Wait();
        }
    }

    // As the C reference does it: alternating protections keep the kernel from merging neighbours.
    private static void AddMappings(int count)
    {
        if (count == 0)
            return;
        nint memory = Map(0, (nuint)count * 4096, 0, 0x22, -1, 0);
        for (int i = 0; i < count; i += 2)
            if (memory == -1 || Protect(memory + i * 4096, 4096, 3) != 0)
                throw new InvalidOperationException("mmap or mprotect failed");
    }

    private static string Anonymous() => File.ReadLines("/proc/self/smaps_rollup").First(line => line.StartsWith("Anonymous:", StringComparison.Ordinal))["Anonymous:".Length..^2].Trim();

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint length, int protection);
}
