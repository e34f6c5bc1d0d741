using System.Runtime.InteropServices;

namespace StartMethods.Interop;

internal static partial class Native
{
    [LibraryImport(Library, EntryPoint = "sm_pty_open_pair")]
    internal static partial int PtyOpenPair(out int controlling, out int terminal);

    [LibraryImport(Library, EntryPoint = "sm_pty_become_terminal")]
    internal static partial int PtyBecomeTerminal(int terminal);
}
