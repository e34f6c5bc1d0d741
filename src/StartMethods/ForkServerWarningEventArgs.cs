namespace StartMethods;

/// <summary>Something about a fork server that its user should know; starts go on.</summary>
public sealed class ForkServerWarningEventArgs : EventArgs
{
    internal ForkServerWarningEventArgs(string message) => Message = message;

    /// <summary>What it is, and what to do about it.</summary>
    public string Message { get; }
}
