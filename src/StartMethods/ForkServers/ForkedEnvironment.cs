using System.Collections;
using System.Text;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

/// <summary>The environment that a server has ready for its children, and how a child comes by another one.</summary>
internal static class ForkedEnvironment
{
    /// <summary>The environment that this process has.</summary>
    internal static byte[] Known { get; private set; } = [];

    /// <summary>In the server: gives it the environment that a child gets if nothing else is asked for, and remembers it, so that such a child finds it in place.</summary>
    internal static void Adopt(byte[] block)
    {
        Known = []; // which may not be true any more
        Become(block);
    }

    /// <summary>Makes it the environment of this process: the C library's, and the runtime's copy of that.</summary>
    internal static void Become(ReadOnlySpan<byte> block)
    {
        if (block.SequenceEqual(Known))
            return;
        Known = block.ToArray();
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
        foreach (object name in present.Keys) // a copy of the variables, which does not change
        {
            if (!wanted.ContainsKey((string)name))
                Environment.SetEnvironmentVariable((string)name, null);
        }
        foreach ((string name, string value) in wanted)
        {
            if ((string?)present[name] != value)
                Environment.SetEnvironmentVariable(name, value);
        }
    }
}
