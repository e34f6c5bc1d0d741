namespace StartMethods.ForkServers;

/// <summary>Whether the runtime of this process's fork servers survives a fork: found out once, by the first server, in a child that tries everything.</summary>
internal static class RuntimeVerdict
{
    private static string? s_reason;
    private static int s_known;

    internal static bool IsKnown => Volatile.Read(ref s_known) != 0;

    /// <summary>Null where it does, or nobody has asked yet.</summary>
    internal static string? Reason => Volatile.Read(ref s_reason);

    /// <summary>Remembers what a server found out; empty: nothing is wrong.</summary>
    /// <returns>Whether this is news that its user must hear.</returns>
    internal static bool Tell(string unsupported)
    {
        Volatile.Write(ref s_known, 1);
        return unsupported.Length > 0 && Interlocked.CompareExchange(ref s_reason, unsupported, null) is null;
    }
}
