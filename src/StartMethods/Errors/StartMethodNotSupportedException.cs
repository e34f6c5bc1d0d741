namespace StartMethods;

/// <summary>What was asked for does not work on this system, or not in this environment. The message says why, and what to use instead.</summary>
public sealed class StartMethodNotSupportedException : PlatformNotSupportedException
{
    /// <summary>Creates the error with a sentence that says why.</summary>
    public StartMethodNotSupportedException(string message) : base(message) { }

    /// <summary>Creates the error with its cause.</summary>
    public StartMethodNotSupportedException(string message, Exception? innerException) : base(message, innerException) { }
}
