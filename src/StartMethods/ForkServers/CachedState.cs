using System.Collections;
using System.Text;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

/// <summary>
/// What the framework remembers about a process's surroundings from before the fork, and must look up again in the child. What a fork itself makes stale
/// (process id, random numbers, sockets) is the fork engine's to renew.
/// </summary>
internal static class CachedState
{
    /// <summary>The environment that this process has, where it is that of its server.</summary>
    internal static byte[] KnownEnvironment { get; private set; } = [];

    /// <summary>In the server: gives it the environment that a child gets if nothing else is asked for, and remembers it, so that such a child finds it in place.</summary>
    internal static void AdoptEnvironment(byte[] block)
    {
        KnownEnvironment = []; // which may not be true any more
        BecomeEnvironment(block);
        KnownEnvironment = block;
    }

    /// <summary>Makes it the environment of this process: the C library's, and the runtime's copy of that.</summary>
    internal static void BecomeEnvironment(ReadOnlySpan<byte> block)
    {
        if (block.SequenceEqual(KnownEnvironment))
            return;
        NativeError.ThrowIfFailed(Native.EnvironmentReplace(block, (ulong)block.Length), "replacing the environment");
        Dictionary<string, string> wanted = [];
        foreach (Range range in block.Split((byte)0))
        {
            string variable = Encoding.UTF8.GetString(block[range]);
            int equals = variable.IndexOf('=');
            if (equals > 0)
                wanted[variable[..equals]] = variable[(equals + 1)..];
        }
        IDictionary present = Environment.GetEnvironmentVariables();
        foreach (string name in present.Keys.Cast<string>().Where(name => !wanted.ContainsKey(name)).ToArray())
            Environment.SetEnvironmentVariable(name, null);
        foreach ((string name, string value) in wanted)
        {
            if ((string?)present[name] != value)
                Environment.SetEnvironmentVariable(name, value);
        }
    }
}
