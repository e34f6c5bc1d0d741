using System.Runtime.InteropServices;

namespace StartMethods;

/// <summary>How a fork is made. May be reused, and must not be changed while a fork uses it.</summary>
public sealed class ForkOptions
{
    internal static readonly ForkOptions Defaults = new();

    /// <summary>What happens when the fork is not safe; null: <see cref="ForkSafety.Policy"/>.</summary>
    public UnsafeForkPolicy? Policy { get; set; }

    /// <summary>Which threads live on in the child; default: those of the runtime.</summary>
    public ForkThreads Threads { get; set; }

    /// <summary>
    /// How long to look for a moment at which the threads of this process can be cloned, before the fork fails with the name of the thread that stood in the way; default: one
    /// second. They stand still for well under a millisecond at a time.
    /// </summary>
    public TimeSpan Deadline
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero);
            field = value;
        }
    } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Whether what is used of the heap is put on huge pages (2 MB) before the fork; default: false. A fork copies the tables of all memory while the threads of this process stand
    /// still, some 50 ms for each gigabyte in pages of 4 KB, a few in huge pages. Worth it for heaps from about 100 MB on: the memory is copied once for that, which takes up to
    /// three seconds for a gigabyte the first time, on the calling thread, while all others run; later only for what has changed between forks. After the fork, pages that either
    /// process writes to are copied one by one as ever. Without effect where the kernel cannot do it.
    /// </summary>
    /// <remarks>Linux 6.1 or later, with transparent huge pages not switched off: <c>MADV_COLLAPSE</c> of madvise(2).</remarks>
    public bool HugePages { get; set; }

    /// <summary>
    /// Sockets that the child keeps. All others are dead ends there, so that the child can never speak on a connection of its parent by accident: every operation on them
    /// fails. Files and pipes are always kept.
    /// </summary>
    public IList<SafeHandle> KeptSockets { get; } = [];
}
