namespace StartMethods.Threads;

/// <summary>Memory that a fork leaves out: madvise(MADV_DONTFORK), which memory-mapped files that are not inheritable are given.</summary>
internal static class MemoryMaps
{
    /// <summary>The addresses and names of such mappings.</summary>
    internal static IReadOnlyList<string> LeftOutByFork()
    {
        List<string> found = [];
        string header = "";
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            const string Flags = "VmFlags:";
            if (line.StartsWith(Flags, StringComparison.Ordinal))
            {
                // "dc": do not copy the area on fork. Mappings of devices have "io" too, and no managed code looks at them.
                if (line.AsSpan(Flags.Length).Contains(" dc", StringComparison.Ordinal) && !line.AsSpan(Flags.Length).Contains(" io", StringComparison.Ordinal))
                    found.Add(Describe(header));
            }
            else if (line.Length > 0 && line[0] is (>= '0' and <= '9') or (>= 'a' and <= 'f'))
                header = line;
        }
        return found;
    }

    // "7f00-7f10 rw-s 00000000 00:01 4711   /memfd:name (deleted)"
    private static string Describe(string header)
    {
        string[] parts = header.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 6 ? $"{parts[5].Trim()} at {parts[0]}" : parts[0];
    }
}
