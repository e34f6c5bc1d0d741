using System.Diagnostics;
using StartMethods.Threads;

namespace StartMethods.Forking;

/// <summary>What speaks against a fork, judged from what is known: each kind of finding once, with its remedy.</summary>
internal static class SafetyFindings
{
    private static volatile bool s_isExiting;

    static SafetyFindings() => AppDomain.CurrentDomain.ProcessExit += (_, _) => s_isExiting = true;

    /// <summary>Whether the process has begun to end: noticed by a handler of ProcessExit, and, where others run before that, by the thread that runs them.</summary>
    internal static bool IsExiting(CallerStack? stack) => s_isExiting || (IsFinalizerThread() && !(stack ?? CallerStack.Walk()).IsInFinalizer);

    internal static ForkFinding Exiting { get; } = new()
    {
        Kind = ForkFindingKind.Exiting,
        Message = "this process is ending",
        Remedy = "A child that is to outlive it can be started before, or with SpawnedProcess.",
    };

    internal static IEnumerable<ForkFinding> Of(CallerStack stack, IReadOnlyList<ForkSafetyThread> threads, int busyWorkers, bool isThorough) =>
        [.. OfThreads(threads, busyWorkers), .. OfCaller(stack), .. OfSurroundings(isThorough)];

    /// <summary>Whether nothing but a thread could speak against a fork.</summary>
    internal static bool AreNone(CallerStack stack) => !OfCaller(stack).Any() && !OfSurroundings(isThorough: false).Any();

    private static IEnumerable<ForkFinding> OfThreads(IReadOnlyList<ForkSafetyThread> threads, int busyWorkers)
    {
        foreach (ForkSafetyThread thread in threads)
        {
            if (!thread.IsUnsafe || thread.Kind == ForkThreadKind.PoolBusy)
                continue;
            yield return new ForkFinding
            {
                Kind = thread.Kind switch { ForkThreadKind.Main => ForkFindingKind.MainThread, ForkThreadKind.User => ForkFindingKind.UserThread, _ => ForkFindingKind.ForeignThread },
                Message = $"the {thread}",
                Remedy = thread.Kind switch
                {
                    ForkThreadKind.Foreign => "Stop threads of native libraries before the fork, or start the child with StartMethod.ForkServer or StartMethod.Spawn.",
                    _ => "Let threads of the application end before the fork (Thread.Join), fork before they are started, or start the child with StartMethod.ForkServer or StartMethod.Spawn; "
                        + "with UnsafeForkPolicy.Allow they stand still in the child, with ForkThreads.All they go on there.",
                },
                Thread = thread,
            };
        }
        if (busyWorkers > 0)
        {
            yield return new ForkFinding
            {
                Kind = ForkFindingKind.BusyPool,
                Message = $"{busyWorkers} {(busyWorkers == 1 ? "worker of the thread pool is" : "workers of the thread pool are")} in the middle of a work item",
                Remedy = "Wait for tasks that run before the fork: in the child their copies would do the same work again.",
            };
        }
        if (threads.Any(thread => thread.Kind == ForkThreadKind.Sockets) && SocketActivity.SocketsWithPendingOperations() is var sockets and not 0)
        {
            yield return new ForkFinding
            {
                Kind = ForkFindingKind.PendingSockets,
                Message = sockets is { } count ? $"{count} {(count == 1 ? "socket has" : "sockets have")} pending asynchronous operations" : "the socket engine is in use",
                Remedy = "Close connections before the fork or wait for their operations: in the child they end with an error.",
            };
        }
    }

    private static IEnumerable<ForkFinding> OfCaller(CallerStack stack)
    {
        if (IsExiting(stack))
            yield return Exiting;
        if (stack.IsInFinalizer)
            yield return new ForkFinding { Kind = ForkFindingKind.Finalizer, Message = "the fork is asked for by a finalizer", Remedy = "Fork from a thread of the application: no finalizer runs in the child while this one does." };
        if (stack.StaticConstructorOf is { } type)
            yield return new ForkFinding { Kind = ForkFindingKind.StaticConstructor, Message = $"the static constructor of {type} is running on this thread", Remedy = "Fork after it: until then other threads of the child cannot use that type." };
        if (stack.InOtherContext is { } method)
            yield return new ForkFinding { Kind = ForkFindingKind.LoadContext, Message = $"{method.DeclaringType}.{method.Name} is code of a load context that is not the default one", Remedy = "Fork from the application itself: a plug-in does not know what its host may do." };
    }

    private static IEnumerable<ForkFinding> OfSurroundings(bool isThorough)
    {
        if (Debugger.IsAttached)
            yield return new ForkFinding { Kind = ForkFindingKind.Debugger, Message = "a debugger is attached", Remedy = "Its breakpoints would end the child, which it does not control: detach it, or start the child with StartMethod.Spawn." };
        if (ProcessTracer.Find() is { } tracer)
            yield return new ForkFinding
            {
                Kind = ForkFindingKind.Debugger,
                IsUnsafe = !tracer.OnlyWatches,
                Message = $"this process is traced by '{tracer.Name}' (native id {tracer.Id})",
                Remedy = tracer.OnlyWatches ? null : "Its breakpoints would end the child, and a thread that it has stopped cannot be parked: detach it, or start the child with StartMethod.Spawn.",
            };
        if ((Setting("DbgEnableMiniDump") ?? "0") != "0")
            yield return new ForkFinding { Kind = ForkFindingKind.CrashDumps, Message = "crash dumps are switched on (DOTNET_DbgEnableMiniDump)", Remedy = "A crashing child would stop and dump this process instead of itself: unset the variable, or start the child with StartMethod.Spawn." };
        if ((isThorough || LoadedAssembly.Find("System.IO.MemoryMappedFiles") is not null) && MemoryMaps.LeftOutByFork() is { Count: > 0 } left)
            yield return new ForkFinding { Kind = ForkFindingKind.UnsharedMemory, Message = $"memory is mapped that a child does not get ({string.Join(", ", left)})", Remedy = "Reading it there ends the child: dispose the views before the fork, or create memory-mapped files with HandleInheritability.Inheritable." };
        if (isThorough && (Setting("EnableWriteXorExecute") ?? "1") != "0")
            yield return new ForkFinding { Kind = ForkFindingKind.CodeMemory, IsUnsafe = false, Message = "executable memory is mapped twice (W^X): a fork lets this process go on only when the child has made its own copy; DOTNET_EnableWriteXorExecute=0 at its start makes forks faster" };
    }

    private static string? Setting(string name) => Environment.GetEnvironmentVariable("DOTNET_" + name) ?? Environment.GetEnvironmentVariable("COMPlus_" + name);

    // It runs finalizers, and at the end of the process the handlers of ProcessExit. The runtime gives it no managed mark; the kernel's name of it is the runtime's own.
    [ThreadStatic]
    private static bool? t_isFinalizerThread;

    // Asked once of each thread: reading a file took seven kilobytes of garbage for each fork, two new pages of the heap that every later fork copied.
    private static bool IsFinalizerThread() => t_isFinalizerThread ??=
        !Thread.CurrentThread.IsThreadPoolThread && File.ReadAllText("/proc/thread-self/comm").StartsWith(".NET Finalizer", StringComparison.Ordinal);
}
