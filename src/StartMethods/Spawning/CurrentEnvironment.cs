using System.Collections;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>The environment of this process as a block for exec, kept for as long as nobody changes a variable.</summary>
internal static class CurrentEnvironment
{
    private sealed record Snapshot(string? Text, StringBlock Block);

    private static volatile Snapshot? s_last;

    /// <summary>The block; shared, so never disposed by its user (the finalizer frees one that was replaced).</summary>
    internal static StringBlock Block()
    {
        if (s_last is { Text: { } text } last && EnvironmentText.Is(text))
            return last.Block;
        // The text before the variables: if one is changed in between, the text is the older one, and the next start sees that it is.
        Snapshot fresh = new(EnvironmentText.Read(), new StringBlock(Lines()));
        s_last = fresh;
        return fresh.Block;
    }

    private static List<string> Lines()
    {
        IDictionary variables = Environment.GetEnvironmentVariables();
        List<string> lines = new(variables.Count);
        foreach (DictionaryEntry variable in variables)
            lines.Add($"{variable.Key}={variable.Value}");
        return lines;
    }
}
