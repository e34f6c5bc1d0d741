namespace StartMethods;

/// <summary>The base of the errors of this library: a process could not be started, did not answer, or failed.</summary>
public class StartMethodException : Exception
{
    /// <summary>Creates the error with a message that names the culprit and the remedy.</summary>
    public StartMethodException(string message) : base(message) { }

    /// <summary>Creates the error with its cause.</summary>
    public StartMethodException(string message, Exception? innerException) : base(message, innerException) { }

    /// <summary>The errno(3) of the system call that failed, or 0 where no system call did.</summary>
    public int ErrorNumber { get; init; }
}
