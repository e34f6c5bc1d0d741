namespace StartMethods;

/// <summary>
/// The body threw in the child, and its exception could not be rebuilt as its own type here: that type is not loaded, or it has no
/// constructor that takes a message. Where it can be rebuilt, that very type is thrown instead.
/// </summary>
/// <remarks>Python counterpart: <c>multiprocessing.pool.RemoteTraceback</c>.</remarks>
public sealed class ChildFailedException : StartMethodException
{
    /// <summary>Creates the error with the text that the child sent.</summary>
    public ChildFailedException(string message) : base(message) { }

    /// <summary>Creates the error with the text that the child sent and the cause that it named.</summary>
    public ChildFailedException(string message, Exception? innerException) : base(message, innerException) { }

    /// <summary>The full name of the exception's type in the child; text only, never looked up.</summary>
    public string RemoteType { get; init; } = "";

    /// <summary>The stack trace in the child, or null where the exception was never thrown.</summary>
    public string? RemoteStackTrace { get; init; }
}
