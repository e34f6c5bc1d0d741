using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>The strings of a start: C strings end at a NUL, and a variable's name at its first '='.</summary>
internal static class SpawnText
{
    internal static string Check(string text, string parameter) =>
        text.Contains('\0')
            ? throw new ArgumentException($"'{text.Replace("\0", "\\0", StringComparison.Ordinal)}' contains a NUL character, which no argument, path or variable can.", parameter)
            : text;

    internal static StringBlock Environment(SpawnInfo info)
    {
        if (!info.HasEnvironment)
            return CurrentEnvironment.Block();
        List<string> lines = [];
        foreach ((string name, string? value) in info.Environment)
        {
            if (value is null)
                continue;
            if (name.Length == 0 || name.Contains('='))
                throw new ArgumentException($"'{name}' is no name of an environment variable.", nameof(SpawnInfo.Environment));
            lines.Add($"{Check(name, nameof(SpawnInfo.Environment))}={Check(value, nameof(SpawnInfo.Environment))}");
        }
        return new StringBlock(lines);
    }

    internal static string[] Arguments(SpawnInfo info)
    {
        string[] list = new string[info.Arguments.Count + 1];
        list[0] = Check(info.Argument0 ?? info.FileName, nameof(SpawnInfo.Argument0));
        for (int i = 1; i < list.Length; i++)
        {
            ArgumentNullException.ThrowIfNull(info.Arguments[i - 1], nameof(SpawnInfo.Arguments));
            list[i] = Check(info.Arguments[i - 1], nameof(SpawnInfo.Arguments));
        }
        return list;
    }
}
