using System.Collections;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>
/// The environment of this process as a block for exec, kept for as long as nobody changes a variable: to see that nothing has changed takes
/// half as long as building it anew, and leaves less for the collector.
/// </summary>
internal static class CurrentEnvironment
{
    private sealed record Snapshot(object?[] Variables, StringBlock Block);

    private static volatile Snapshot? s_last;

    /// <summary>The block; shared, so never disposed by its user (the finalizer frees one that was replaced).</summary>
    internal static StringBlock Block()
    {
        IDictionary variables = Environment.GetEnvironmentVariables();
        Snapshot? last = s_last;
        if (last is not null && IsSame(variables, last.Variables))
            return last.Block;
        object?[] copy = new object?[variables.Count * 2];
        List<string> lines = new(variables.Count);
        int index = 0;
        foreach (DictionaryEntry variable in variables)
        {
            (copy[index], copy[index + 1]) = (variable.Key, variable.Value);
            index += 2;
            lines.Add($"{variable.Key}={variable.Value}");
        }
        Snapshot fresh = new(copy, new StringBlock(lines));
        s_last = fresh;
        return fresh.Block;
    }

    private static bool IsSame(IDictionary variables, object?[] known)
    {
        if (variables.Count * 2 != known.Length)
            return false;
        int index = 0;
        IDictionaryEnumerator each = variables.GetEnumerator();
        while (each.MoveNext())
        {
            if (!string.Equals((string)each.Key, (string?)known[index], StringComparison.Ordinal) || !string.Equals((string?)each.Value, (string?)known[index + 1], StringComparison.Ordinal))
                return false;
            index += 2;
        }
        return true;
    }
}
