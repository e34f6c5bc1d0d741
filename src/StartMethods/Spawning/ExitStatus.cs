using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods;

/// <summary>
/// How a process ended: by an exit code, or killed by a signal. The two are never folded into one number. Counterpart of the wait status of
/// <c>waitid(2)</c> and of Python's <c>Process.exitcode</c>.
/// </summary>
/// <remarks>
/// <c>default</c> is a status that is not known, and never a success: somebody else took it (a foreign <c>wait()</c>; SIGCHLD ignored; .NET as PID 1) on
/// a kernel that does not tell it twice (Linux before 6.15). On the portable path (no native library) the system reports a signal as exit code 128 + n.
/// </remarks>
public readonly record struct ExitStatus
{
    private readonly ExitKind _kind;
    private readonly int _value;

    private ExitStatus(ExitKind kind, int value) => (_kind, _value) = (kind, value);

    /// <summary>A status that nobody knows any more; equal to <c>default</c>.</summary>
    public static ExitStatus Unknown => default;

    /// <summary>Whether the status is known: either <see cref="Code"/> or <see cref="Signal"/> has a value.</summary>
    public bool IsKnown => _kind is ExitKind.Code or ExitKind.Signal or ExitKind.Dumped;

    /// <summary>The exit code (0 to 255 on Unix), or null where the process was killed by a signal or the status is not known.</summary>
    public int? Code => _kind == ExitKind.Code ? _value : null;

    /// <summary>
    /// The signal that killed the process, or null. A signal that <see cref="PosixSignal"/> does not name (SIGKILL, SIGSEGV …) has its raw number
    /// as its value, so that <c>(int)Signal == 9</c> is SIGKILL; <see cref="SignalName"/> names every signal.
    /// </summary>
    public PosixSignal? Signal => SignalNumber is { } number ? Interop.SignalNumber.ToPosix(number) : null;

    /// <summary>The number of the signal on this system (9 for SIGKILL), or null.</summary>
    public int? SignalNumber => _kind is ExitKind.Signal or ExitKind.Dumped ? _value : null;

    /// <summary>The name of the signal, such as "SIGSEGV", or null.</summary>
    public string? SignalName => SignalNumber is { } number ? Interop.SignalNumber.Name(number) : null;

    /// <summary>Whether the kernel wrote a core dump.</summary>
    public bool CoreDumped => _kind == ExitKind.Dumped;

    /// <summary>Whether the process ended by itself with exit code 0.</summary>
    public bool Success => _kind == ExitKind.Code && _value == 0;

    /// <summary>The status of a process that ended with an exit code.</summary>
    public static ExitStatus FromCode(int code) => new(ExitKind.Code, code);

    /// <summary>The status of a process that a signal killed. <paramref name="signal"/> is the number of this system (1 to 64).</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a signal number.</exception>
    public static ExitStatus FromSignal(int signal, bool coreDumped = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(signal, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(signal, 64);
        return new(coreDumped ? ExitKind.Dumped : ExitKind.Signal, signal);
    }

    internal static ExitStatus From(in ExitInfo info) => info.Kind == ExitKind.Lost ? Unknown : new ExitStatus(info.Kind, info.Value);

    /// <summary>"exit 3", "killed by SIGSEGV (core dumped)", or "status unknown".</summary>
    public override string ToString() => _kind switch
    {
        ExitKind.Code => $"exit {_value}",
        ExitKind.Signal => $"killed by {SignalName}",
        ExitKind.Dumped => $"killed by {SignalName} (core dumped)",
        _ => "status unknown",
    };
}
