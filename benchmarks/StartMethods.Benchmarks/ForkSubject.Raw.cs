using System.Runtime.InteropServices;

namespace StartMethods.Benchmarks;

/// <summary>What the kernel alone takes to fork this very process and to take its child apart: no thread is stopped or revived, nothing is repaired, and the child ends with its first instruction.</summary>
internal static unsafe partial class ForkSubject
{
    private static Func<double> RawFork()
    {
        // Neither call tells the runtime of itself, which in a child has no other thread and is not asked for anything.
        nint libc = NativeLibrary.Load("libc.so.6");
        var fork = (delegate* unmanaged[SuppressGCTransition]<int>)NativeLibrary.GetExport(libc, "_Fork");
        var exit = (delegate* unmanaged[SuppressGCTransition]<int, void>)NativeLibrary.GetExport(libc, "_exit");
        for (int i = 0; i < 5; i++)
            Start(Runtime);   // as it is when it forks itself: data in code memory is private, the heap warm
        return () =>
        {
            long begin = Stopwatch.GetTimestamp();
            int child = fork();
            if (child == 0)
                exit(0);
            Posix.Wait(child);
            return Stopwatch.GetElapsedTime(begin).TotalMicroseconds;
        };
    }
}
