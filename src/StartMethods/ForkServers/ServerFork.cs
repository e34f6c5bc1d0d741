namespace StartMethods.ForkServers;

/// <summary>One fork of the server, by the fork engine.</summary>
internal readonly record struct ServerFork(bool IsChild, int ProcessId, int Pidfd, int ErrorNumber, string Reason)
{
    internal static string? UnavailableReason => null;

    internal static ServerFork Now(int[] keptSockets) => new(false, 0, -1, 38, "no engine");
}
