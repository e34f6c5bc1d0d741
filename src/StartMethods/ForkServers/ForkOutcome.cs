using StartMethods.Spawning;

namespace StartMethods.ForkServers;

/// <summary>How a request ended: with a child, with the server's refusal, or with the server's death.</summary>
internal readonly record struct ForkOutcome(ProcessLifetime? Child, int ErrorNumber, string Reason, bool ServerDied)
{
    internal static ForkOutcome Born(ProcessLifetime child) => new(child, 0, "", false);

    internal static ForkOutcome Refused(int errorNumber, string reason) => new(null, errorNumber, reason, false);

    internal static ForkOutcome Lost(string how) => new(null, 0, how, true);
}
