using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace StartMethods.ForkServers;

/// <summary>
/// What the framework remembers about a process's surroundings from before the fork, and must look up again in the child. What a fork itself makes stale
/// (process id, random numbers, sockets) is the fork engine's to renew.
/// </summary>
internal static class CachedState
{
    private const BindingFlags Hidden = BindingFlags.Static | BindingFlags.NonPublic;

    // Looked up in the server, once for all children. Null in a framework that keeps it elsewhere: then the slower, documented way is taken.
    private static readonly FieldInfo? EnvironmentField = typeof(Environment).GetField("s_environ", Hidden);

    /// <summary>The managed copy of the environment, which the framework makes when a variable is first set or all are listed.</summary>
    internal static void ForgetEnvironment(ReadOnlySpan<byte> block)
    {
        if (EnvironmentField is not null)
        {
            EnvironmentField.SetValue(null, null); // it is copied from the C library's again when needed
            return;
        }
        Dictionary<string, string> wanted = [];
        foreach (Range range in block.Split((byte)0))
        {
            string variable = Encoding.UTF8.GetString(block[range]);
            int equals = variable.IndexOf('=');
            if (equals > 0)
                wanted[variable[..equals]] = variable[(equals + 1)..];
        }
        foreach (string name in Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(name => !wanted.ContainsKey(name)).ToArray())
            Environment.SetEnvironmentVariable(name, null);
        foreach ((string name, string value) in wanted)
            Environment.SetEnvironmentVariable(name, value);
    }

    /// <summary>The ProcessExit handlers of the server: those that the preload has added, and the framework's for things that the server has used.</summary>
    internal static void ForgetExitHandlers() => ExitHandlers?.SetValue(null, null);

    /// <summary>For the rehearsal: does the same and changes nothing.</summary>
    internal static void KeepExitHandlers() => ExitHandlers?.SetValue(null, ExitHandlers.GetValue(null));

    // The field behind the event that AppDomain.ProcessExit leads to.
    private static readonly FieldInfo? ExitHandlers = typeof(AppContext).GetField(nameof(AppDomain.ProcessExit), Hidden);

    /// <summary>
    /// The writers of a console that a preload has used: they hold duplicates of the server's descriptors. The next use of the console opens those of
    /// the child.
    /// </summary>
    internal static void ForgetConsole()
    {
        if (IsConsoleLoaded())
            ForgetWriters();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ForgetWriters()
    {
        foreach (string name in (ReadOnlySpan<string>)["s_in", "s_out", "s_error", "_isStdInRedirected", "_isStdOutRedirected", "_isStdErrRedirected"])
            typeof(Console).GetField(name, Hidden)?.SetValue(null, null);
    }

    // Loading System.Console only to find that there is nothing to forget would cost each child more than the rest of its start.
    private static bool IsConsoleLoaded()
    {
        foreach (Assembly assembly in AppDomain.CurrentDomain.GetAssemblies())
        {
            if (assembly.FullName!.StartsWith("System.Console,", StringComparison.Ordinal))
                return true;
        }
        return false;
    }
}
