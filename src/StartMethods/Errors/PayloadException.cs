namespace StartMethods;

/// <summary>
/// A value, a body, a result or an exception cannot travel to another process, or what arrived from there is not what was declared.
/// When it concerns the body or the argument it is thrown before any process or worker is used.
/// </summary>
/// <remarks>Python counterpart: <c>pickle.PicklingError</c> and <c>pickle.UnpicklingError</c>, which name no path.</remarks>
public sealed class PayloadException : StartMethodException
{
    /// <summary>Creates the error with a message that names the culprit and the remedy.</summary>
    public PayloadException(string message) : base(message) { }

    /// <summary>Creates the error with its cause.</summary>
    public PayloadException(string message, Exception? innerException) : base(message, innerException) { }

    /// <summary>Creates the error for the value at <paramref name="path"/>.</summary>
    internal PayloadException(string message, string? path, Exception? innerException) : base(message, innerException) => Path = path;

    /// <summary>
    /// The way from the body to the value that cannot travel, as in <c>lambda at Orders.cs:41 → captured 'pool' → WorkerPool._socket</c>;
    /// null when what arrived was malformed and no value can be named.
    /// </summary>
    public string? Path { get; }
}
