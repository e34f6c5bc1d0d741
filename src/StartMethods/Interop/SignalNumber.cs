using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>Signals by number, by name, and as <see cref="PosixSignal"/>, whose named members are negative and whose positive values are raw numbers.</summary>
internal static class SignalNumber
{
    internal const int Terminate = 15, Kill = 9, Stop = 19, Interrupt = 2, Hangup = 1, Quit = 3, Abort = 6;

    private static readonly string[] LinuxNames =
    [
        "", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE",
        "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ",
        "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
    ];

    private static readonly string[] BsdNames =
    [
        "", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGEMT", "SIGFPE", "SIGKILL", "SIGBUS", "SIGSEGV", "SIGSYS", "SIGPIPE",
        "SIGALRM", "SIGTERM", "SIGURG", "SIGSTOP", "SIGTSTP", "SIGCONT", "SIGCHLD", "SIGTTIN", "SIGTTOU", "SIGIO", "SIGXCPU", "SIGXFSZ",
        "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGINFO", "SIGUSR1", "SIGUSR2",
    ];

    private static string[] Names => OperatingSystem.IsMacOS() || OperatingSystem.IsFreeBSD() ? BsdNames : LinuxNames;

    /// <summary>"SIGSEGV", "SIGRTMIN+2", or "signal 99".</summary>
    internal static string Name(int signal) =>
        signal > 0 && signal < Names.Length ? Names[signal]
        : signal is >= 34 and <= 64 && OperatingSystem.IsLinux() ? signal == 34 ? "SIGRTMIN" : $"SIGRTMIN+{signal - 34}"
        : $"signal {signal}";

    /// <summary>The number of this system.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a signal.</exception>
    internal static int Of(PosixSignal signal, string parameter = "signal")
    {
        if ((int)signal is > 0 and <= 64)
            return (int)signal;
        int number = signal < 0 ? Array.IndexOf(Names, signal.ToString()) : -1;
        return number > 0 ? number : throw new ArgumentOutOfRangeException(parameter, signal, "Not a signal: use a member of PosixSignal or a raw number from 1 to 64.");
    }

    /// <summary>The named member where there is one, else the raw number as a PosixSignal, which .NET takes too.</summary>
    internal static PosixSignal ToPosix(int signal) =>
        Enum.TryParse(Name(signal), out PosixSignal named) ? named : (PosixSignal)signal;
}
