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
        const string field = "TracerPid:";
        try
        {
            string? line = File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(field, StringComparison.Ordinal));
            if (line is null || !int.TryParse(line.AsSpan(field.Length).Trim(), out int id) || id == 0)
                return null;
            return new ProcessTracer(id, NameOf(id));
        }
        catch (IOException)
        {
            return null; // no /proc
        }
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
