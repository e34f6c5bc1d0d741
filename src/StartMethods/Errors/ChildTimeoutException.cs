namespace StartMethods;

/// <summary>A child, or a task of a pool, took longer than it was allowed to; it was ended.</summary>
public sealed class ChildTimeoutException : TimeoutException
{
    /// <summary>Creates the error with a message.</summary>
    public ChildTimeoutException(string message) : base(message) { }

    /// <summary>Creates the error with its cause.</summary>
    public ChildTimeoutException(string message, Exception? innerException) : base(message, innerException) { }

    /// <summary>The limit that was exceeded.</summary>
    public TimeSpan Limit { get; init; }
}
