namespace StartMethods;

/// <summary>How far a child had come.</summary>
public enum ChildStage
{
    /// <summary>It was started, but had not yet reported that its runtime is up. The body has not run.</summary>
    Starting,

    /// <summary>It was up and was reading its job. The body has not run.</summary>
    Receiving,

    /// <summary>The body was running: it may have had effects.</summary>
    Running,

    /// <summary>It had answered, and was on its way out.</summary>
    Exiting,
}

/// <summary>
/// A child ended without an answer: it crashed, was killed, or exited by itself (an <see cref="Environment.Exit"/> within the body is one of these,
/// with code 0 too).
/// </summary>
/// <remarks>Python counterpart: <c>concurrent.futures.process.BrokenProcessPool</c>, which does not say which process, how, or when.</remarks>
public sealed class ChildCrashedException : StartMethodException
{
    /// <summary>Creates the error with a message.</summary>
    public ChildCrashedException(string message) : base(message) { }

    /// <summary>Creates the error with its cause.</summary>
    public ChildCrashedException(string message, Exception? innerException) : base(message, innerException) { }

    /// <summary>How the process ended.</summary>
    public ExitStatus ExitStatus { get; init; }

    /// <summary>The process id that it had; it may belong to another process by now.</summary>
    public int ProcessId { get; init; }

    /// <summary>How far it had come: before <see cref="ChildStage.Running"/> the body has certainly not run.</summary>
    public ChildStage Stage { get; init; }

    /// <summary>The last lines that it wrote to standard error; empty where there were none or where they did not come through this library.</summary>
    public string StandardError { get; init; } = "";

    // What Bootstrap and the fork engine leave with where there is nobody to tell.
    private const int CouldNotBegin = 125;

    internal static ChildCrashedException Create(string name, int id, ExitStatus status, ChildStage stage, string standardError, Exception? cause)
    {
        string when = stage switch
        {
            ChildStage.Starting => "before it was up, so that the body has not run",
            ChildStage.Receiving => "before it had read its job, so that the body has not run",
            ChildStage.Running => "while the body was running",
            _ => "after it had answered",
        };
        string hint = status.SignalNumber == 9 ? " (SIGKILL that nobody sent may be the kernel's, for lack of memory)"
            : status.Code == CouldNotBegin && stage == ChildStage.Starting ? " (the code of a process that could not become a child: no descriptor or memory left for it, most likely)" : "";
        string told = standardError.Length == 0 ? "" : $"\nThe last lines of its standard error:\n{standardError}";
        string because = cause is null ? "" : $"\n{cause.Message}";
        return new ChildCrashedException($"child '{name}' (process {id}) ended without an answer, {when}: {status}{hint}.{because}{told}", cause)
        {
            ExitStatus = status, ProcessId = id, Stage = stage, StandardError = standardError,
        };
    }
}
