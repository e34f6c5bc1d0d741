using System.Diagnostics;

namespace StartMethods.Threads;

/// <summary>
/// Keeps the library's own threads from working while the process is forked. One that is caught at its work would finish it in the child too, on descriptors and memory that both
/// share: a pipe's bytes that the child's copy of the reactor reads are lost to the parent (seen as 52 lines of a thousand, of a pool of forked workers).
/// So each begins its work here, and a fork waits until all are done; in the child, where nobody ends this pause, their copies stay where they are.
/// </summary>
internal sealed class ForkPause
{
    // A thread that hands something to the application's code may take as long as that likes.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(50);

    [ThreadStatic]
    private static int t_working;

    private readonly object _gate = new();
    private int _forks, _working;

    /// <summary>The pause of this process. A thread keeps to the one that it has begun with: a forked copy of it to its parent's.</summary>
    internal static ForkPause Current { get; private set; } = new();

    /// <summary>In a forked child: its own threads have a pause of their own.</summary>
    /// <param name="isRehearsal">Whether this is the process that will be forked, which keeps its own.</param>
    internal static void ResetAfterFork(bool isRehearsal = false)
    {
        ForkPause own = new();
        if (!isRehearsal)
            Current = own;
    }

    /// <summary>Before a thread touches what its process shares with a forked child; waits while one is forked.</summary>
    internal void BeginWork()
    {
        lock (_gate)
        {
            while (_forks > 0)
                Monitor.Wait(_gate);
            _working++;
        }
        t_working++;
    }

    internal void EndWork()
    {
        t_working--;
        lock (_gate)
        {
            if (--_working <= 1 && _forks > 0)
                Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Before a fork: waits until nobody works, and lets nobody begin.</summary>
    internal void BeginFork()
    {
        long start = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            _forks++;
            // Whoever forks from within such work is not waited for.
            while (_working > t_working && Patience - Stopwatch.GetElapsedTime(start) is { Ticks: > 0 } left)
                Monitor.Wait(_gate, left);
        }
    }

    /// <summary>After a fork, in the parent.</summary>
    internal void EndFork()
    {
        lock (_gate)
        {
            _forks--;
            Monitor.PulseAll(_gate);
        }
    }
}
