using System.Runtime.InteropServices;

namespace DocStats;

/// <summary>A file to be counted.</summary>
internal sealed record InputFile(string Path, long Bytes)
{
    /// <summary>The documentation files of the SDK that runs this: packs/*.Ref/**/*.xml beside the runtime.</summary>
    public static InputFile[] OfTheSdk()
    {
        string packs = System.IO.Path.GetFullPath(System.IO.Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "packs"));
        InputFile[] files = Directory.Exists(packs) ? [.. Below(packs).Where(file => file.Path.EndsWith(".xml", StringComparison.Ordinal))] : [];
        if (files.Length == 0)
            throw new FileNotFoundException($"no documentation files in {packs}: this .NET came without them; name a folder of text instead: DocStats FOLDER");
        return files;
    }

    public static InputFile[] Below(string folder) =>
        [.. new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories)
            .Where(file => file.Extension is ".xml" or ".txt" or ".md" or ".cs" or ".c" or ".h")
            .Select(file => new InputFile(file.FullName, file.Length)).OrderBy(file => file.Path, StringComparer.Ordinal)];

    /// <summary>Chunks of about the same size: the largest file first, each to the chunk that has the least so far.</summary>
    public static InputFile[][] Split(InputFile[] files, int count)
    {
        var chunks = Enumerable.Range(0, Math.Clamp(count, 1, Math.Max(1, files.Length))).Select(_ => new List<InputFile>()).ToArray();
        foreach (InputFile file in files.OrderByDescending(file => file.Bytes))
            chunks.MinBy(chunk => chunk.Sum(f => f.Bytes))!.Add(file);
        return [.. chunks.Select(chunk => chunk.ToArray())];
    }
}
