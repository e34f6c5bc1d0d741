using StartMethods.Interop;

namespace StartMethods.Forking;

/// <summary>Who traces this process (ptrace(2)): a debugger of native code.</summary>
/// <param name="Id">The native id of the thread that does.</param>
/// <param name="Name">Its name: "gdb".</param>
internal sealed record ProcessTracer(int Id, string Name)
{
    /// <summary>strace watches system calls and sets no breakpoints: children under it are whole, with and without its option -f.</summary>
    internal bool OnlyWatches => Name is "strace";

    /// <summary>Null where nobody does, or where that cannot be known.</summary>
    internal static ProcessTracer? Find()
    {
        int id = Native.ProcessTracer();
        return id == 0 ? null : new ProcessTracer(id, NameOf(id));
    }

    private static string NameOf(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/comm").TrimEnd('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "unknown"; // it lives outside this container
        }
    }
}
