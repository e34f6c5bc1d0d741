using System.Collections;
using System.Runtime.InteropServices;
using StartMethods.Spawning;

namespace StartMethods;

/// <summary>What program to start, and how: everything that <c>posix_spawn(3)</c> and Python's <c>subprocess.Popen</c> can set, and more.</summary>
/// <remarks>
/// Nothing is inherited by accident: every descriptor above 2 that is not listed in <see cref="InheritedHandles"/> is closed in the program, ignored and
/// blocked signals are reset. The steps are taken in this order: session and group, descriptors, terminal, umask, nice, affinity, limits, groups, group,
/// user, working directory, signals, exec. The object may be reused; a start takes a copy of it.
/// </remarks>
public sealed class SpawnInfo
{
    private Dictionary<string, string?>? _environment;
    private ResourceLimits? _limits;

    /// <summary>Describes the start of a program.</summary>
    /// <param name="fileName">A path, or a name without a slash that is searched as <see cref="PathSearch"/> says.</param>
    /// <param name="arguments">The arguments, without the program's name; no shell is involved and nothing is quoted.</param>
    public SpawnInfo(string fileName, params IEnumerable<string> arguments)
    {
        ArgumentException.ThrowIfNullOrEmpty(fileName);
        ArgumentNullException.ThrowIfNull(arguments);
        FileName = fileName;
        Arguments = [.. arguments];
    }

    /// <summary>
    /// The program: a path (a relative one with a slash is relative to <see cref="WorkingDirectory"/>, as in POSIX), or a name to search.
    /// </summary>
    public string FileName { get; set; }

    /// <summary>The arguments, without the program's name.</summary>
    public IList<string> Arguments { get; }

    /// <summary>What the program sees as its own name (argv[0]), such as "-bash" for a login shell; null: <see cref="FileName"/>.</summary>
    public string? Argument0 { get; set; }

    /// <summary>
    /// The program's environment: at first a copy of this process's, to change as needed; a variable with the value null is left out.
    /// </summary>
    public IDictionary<string, string?> Environment => _environment ??= CurrentEnvironment();

    /// <summary>The program's working directory; null: this process's. Entered with the rights of <see cref="User"/>.</summary>
    public string? WorkingDirectory { get; set; }

    /// <summary>Where a name without a slash is searched. Default: in the PATH of this process.</summary>
    public PathSearch PathSearch { get; set; }

    /// <summary>The program's descriptor 0. Default: this process's (or /dev/null where that is closed).</summary>
    public SpawnStdio StandardInput { get; set; } = SpawnStdio.Inherit;

    /// <summary>The program's descriptor 1. Default: this process's (or /dev/null where that is closed).</summary>
    public SpawnStdio StandardOutput { get; set; } = SpawnStdio.Inherit;

    /// <summary>The program's descriptor 2. Default: this process's (or /dev/null where that is closed).</summary>
    public SpawnStdio StandardError { get; set; } = SpawnStdio.Inherit;

    /// <summary>
    /// Further handles that the program gets, each under the given descriptor number. Numbers may be swapped and cycled freely; each may appear once; at
    /// most 1,000. The handles stay open in this process, and their close-on-exec flags as they are. Counterpart of Python's <c>pass_fds</c>.
    /// </summary>
    public IList<(SafeHandle Handle, int Descriptor)> InheritedHandles { get; } = [];

    /// <summary>Makes the program the leader of a new session without a terminal: <c>setsid(2)</c>, Python's <c>start_new_session</c>.</summary>
    public bool NewSession { get; set; }

    /// <summary>The process group of the program: 0 a new one that it leads, else the id of one to join; null: this process's. <c>setpgid(2)</c>.</summary>
    public int? ProcessGroup { get; set; }

    /// <summary>
    /// The signals that the program finds at their default although this process ignores them; null: all of them. Handlers are always reset by exec.
    /// Counterpart of <c>posix_spawnattr_setsigdefault(3)</c>.
    /// </summary>
    public ICollection<PosixSignal>? SignalDefaults { get; set; }

    /// <summary>The signals that the program finds blocked; null: none. Counterpart of <c>posix_spawnattr_setsigmask(3)</c>.</summary>
    public ICollection<PosixSignal>? SignalMask { get; set; }

    /// <summary>
    /// Kills the program (SIGKILL) when this process ends, however it ends: <c>PR_SET_PDEATHSIG</c>, set by a thread that never ends itself. Not for
    /// set-user-ID programs, for which the kernel clears it. On the portable path: when this process ends in an orderly way.
    /// </summary>
    public bool KillOnParentExit { get; set; }

    /// <summary>The user to run as: a name, or a number in decimal. Needs root. Its groups are set too, unless <see cref="Group"/> or <see cref="Groups"/> say otherwise.</summary>
    public string? User { get; set; }

    /// <summary>The group to run as: a name, or a number in decimal; null: the user's, where <see cref="User"/> is set.</summary>
    public string? Group { get; set; }

    /// <summary>The supplementary groups, by name or number; null: those of <see cref="User"/> where that is set, else none where <see cref="Group"/> is set.</summary>
    public ICollection<string>? Groups { get; set; }

    /// <summary>The program's file mode creation mask: the permissions that files it creates do <b>not</b> get; null: this process's. <c>umask(2)</c>.</summary>
    public UnixFileMode? FileModeMask { get; set; }

    /// <summary>The program's nice value, from −20 (needs privilege) to 19; null: this process's. <c>setpriority(2)</c>.</summary>
    public int? Nice { get; set; }

    /// <summary>The numbers of the processors the program may run on; null: this process's. <c>sched_setaffinity(2)</c>.</summary>
    public ICollection<int>? ProcessorAffinity { get; set; }

    /// <summary>The program's resource limits; those not set are this process's. <c>setrlimit(2)</c>, the shell's <c>ulimit</c>.</summary>
    public ResourceLimits Limits => _limits ??= [];

    /// <summary>The program and its descendants can never gain privileges by exec (set-user-ID programs lose their effect). <c>PR_SET_NO_NEW_PRIVS</c>.</summary>
    public bool NoNewPrivileges { get; set; }

    /// <summary>
    /// How long the start may take until the program's exec has succeeded; null: for ever. A start takes less than a millisecond, but a file system that
    /// hangs holds it up, and blocks the thread that called. Then the start is ended, with a <see cref="SpawnException"/>. Not on the portable path.
    /// </summary>
    public TimeSpan? StartTimeout { get; set; }

    /// <summary>How long disposing of the <see cref="SpawnedProcess"/> waits between asking the program to end and killing it. Default: 5 seconds.</summary>
    public TimeSpan StopGrace { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The descriptor number (as the program sees it) of the terminal that becomes the controlling terminal of its new session.</summary>
    internal int? ControllingTerminal { get; set; }

    internal bool HasEnvironment => _environment is not null;

    internal ResourceLimits? LimitsOrNull => _limits;

    internal static Dictionary<string, string?> CurrentEnvironment()
    {
        IDictionary variables = System.Environment.GetEnvironmentVariables();
        Dictionary<string, string?> copy = new(variables.Count, OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);
        foreach (DictionaryEntry variable in variables)
            copy[(string)variable.Key] = (string?)variable.Value;
        return copy;
    }
}
