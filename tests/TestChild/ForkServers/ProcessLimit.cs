using System.ComponentModel;
using System.Runtime.InteropServices;

namespace TestChild.ForkServers;

/// <summary>Limits of a process that runs: prlimit(2). A limit that a program is started with would stop the runtime first.</summary>
internal static partial class ProcessLimit
{
    internal const int Processes = 6, Files = 7;

    /// <summary>Sets the soft limit; returns the soft and the hard one from before.</summary>
    internal static unsafe (ulong, ulong) Set(int process, int resource, ulong soft)
    {
        ulong* old = stackalloc ulong[2], wanted = stackalloc ulong[2];
        if (Prlimit(process, resource, null, old) != 0)
            throw new Win32Exception();
        (wanted[0], wanted[1]) = (soft, old[1]);
        if (Prlimit(process, resource, wanted, null) != 0)
            throw new Win32Exception();
        return (old[0], old[1]);
    }

    [LibraryImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    private static unsafe partial int Prlimit(int process, int resource, ulong* wanted, ulong* old);
}
