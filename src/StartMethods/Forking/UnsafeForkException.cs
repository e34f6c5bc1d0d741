namespace StartMethods;

/// <summary>A fork was refused because the child would not have been sound. Nothing has been changed: no process, all threads run.</summary>
public sealed class UnsafeForkException : InvalidOperationException
{
    /// <summary>Creates the error from what was found; the message names every finding and what to do about it.</summary>
    public UnsafeForkException(ForkSafetyReport report) : base((report ?? throw new ArgumentNullException(nameof(report))).Explain()) => Report = report;

    /// <summary>What was found.</summary>
    public ForkSafetyReport Report { get; }
}
