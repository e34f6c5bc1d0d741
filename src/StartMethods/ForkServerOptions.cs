using System.Reflection;

namespace StartMethods;

/// <summary>How a <see cref="ForkServer"/> is started, and what it has ready. Read when the server object is made; changing it later has no effect.</summary>
public sealed class ForkServerOptions
{
    /// <summary>A name for people, in errors and warnings; null: "forkserver-1", "forkserver-2" …</summary>
    public string? Name { get; set; }

    /// <summary>
    /// Runs once in the server, before the first child is forked: types that it touches, code that it has compiled and data that it leaves in static fields are there in
    /// each child, in memory that they share as long as they do not write to it. It travels like any body. What it throws fails each start. It should leave no thread
    /// running and no connection open.
    /// </summary>
    /// <remarks>Python: <c>multiprocessing.set_forkserver_preload</c>, for a function instead of modules.</remarks>
    public Action? Preload { get; set; }

    /// <summary>The same, asynchronous; runs after <see cref="Preload"/>.</summary>
    public Func<Task>? PreloadAsync { get; set; }

    /// <summary>Assemblies that the server loads before the first child is forked. Python: <c>multiprocessing.set_forkserver_preload</c>.</summary>
    public IList<Assembly> PreloadAssemblies { get; } = [];

    /// <summary>
    /// How many children are forked ahead and wait for work, so that a start only hands one over instead of forking it. Each costs a process and
    /// some hundred kilobytes. Never more are waiting; they end with the server object, or this process. Default: 0.
    /// </summary>
    public int SpareChildren
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            field = value;
        }
    }

    /// <summary>
    /// Whether the next child is forked while the last one runs, as long as starts follow one another within milliseconds, so that a start in a loop or under load does not wait for
    /// a fork. Such a child is told what to be and do at its start, as any other, and ends when 10 ms have brought no start; so what a timer of the preload changes it
    /// has as it was up to 10 ms before. Without effect with <see cref="SpareChildren"/>, and where the preload has left threads behind or registered hooks of <see cref="AtFork"/>. Default: true.
    /// </summary>
    public bool ForksAhead { get; set; } = true;

    /// <summary>
    /// Whether the server and its children recompile, in the background, the code that they run often. Without it each function is compiled once and well, and code that
    /// was compiled ahead of time stays as it is: a child starts sooner and has half of the memory of its own, and one that computes for seconds may take longer. Default: true.
    /// </summary>
    /// <remarks>The runtime's setting <c>TieredCompilation</c>, for these processes only.</remarks>
    public bool TieredCompilation { get; set; } = true;

    /// <summary>
    /// Whether the server copies the code that its children run to memory of its own, on huge pages: a child starts in two thirds of the time. It takes 26 MB, and as much again as
    /// the assemblies are large that the preload loads, once for the server and all of its children. Without effect where there are no huge pages. Default: true.
    /// </summary>
    /// <remarks>Linux 6.1 and later: <c>madvise(2)</c>, <c>MADV_COLLAPSE</c>. Tools that look for code by its file (<c>perf</c>) do not find it there.</remarks>
    public bool HugePages { get; set; } = true;

    /// <summary>How long the server may take to become ready, its preload included, before it is killed and the start fails; default: one minute.</summary>
    public TimeSpan StartTimeout
    {
        get;
        set
        {
            if (value <= TimeSpan.Zero && value != Timeout.InfiniteTimeSpan)
                throw new ArgumentOutOfRangeException(nameof(value), value, "must be positive, or Timeout.InfiniteTimeSpan for no limit");
            field = value;
        }
    } = TimeSpan.FromMinutes(1);
}
