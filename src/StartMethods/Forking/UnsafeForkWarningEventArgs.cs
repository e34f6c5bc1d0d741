namespace StartMethods;

/// <summary>What <see cref="ForkSafety.Warning"/> tells.</summary>
public sealed class UnsafeForkWarningEventArgs(ForkSafetyReport report, string callSite) : EventArgs
{
    /// <summary>What makes the fork unsafe.</summary>
    public ForkSafetyReport Report { get; } = report;

    /// <summary>The method that asks for the fork.</summary>
    public string CallSite { get; } = callSite;
}
