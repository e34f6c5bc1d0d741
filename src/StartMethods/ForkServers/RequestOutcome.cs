using StartMethods.Spawning;

namespace StartMethods.ForkServers;

/// <summary>How a request ended: with a child, with the server's refusal, or with the server's death.</summary>
internal readonly record struct RequestOutcome(ProcessLifetime? Child, int ErrorNumber, string Reason, bool ServerDied)
{
    internal static RequestOutcome Born(ProcessLifetime child) => new(child, 0, "", false);

    internal static RequestOutcome Refused(int errorNumber, string reason) => new(null, errorNumber, reason, false);

    internal static RequestOutcome Lost(string how) => new(null, 0, how, true);
}
