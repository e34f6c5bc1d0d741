using System.Diagnostics;

namespace StartMethods.Tests.Layout;

/// <summary>The checked-out sources that these tests were built from.</summary>
internal static class Repository
{
    /// <summary>The folder with the solution, upwards from the test's own binaries (the sources' paths in them are mapped away).</summary>
    internal static string Root { get; } = Find();

    internal static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>Every tracked or not yet ignored file, relative to <see cref="Root"/>; without git (a source archive) all that is not built.</summary>
    internal static string[] Files { get; } = List();

    internal static IEnumerable<string> FilesBelow(string folder, params string[] extensions) => Files.Where(file =>
        file.StartsWith(folder, StringComparison.Ordinal) && (extensions.Length == 0 || extensions.Contains(Path.GetExtension(file))));

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "StartMethods.sln")))
                return folder.FullName;
        throw new InvalidOperationException($"no StartMethods.sln above {AppContext.BaseDirectory}: these tests read the sources, run them inside the repository");
    }

    private static string[] List()
    {
        if (Directory.Exists(PathOf(".git")) || File.Exists(PathOf(".git")))
        {
            using Process git = Process.Start(new ProcessStartInfo("git", ["-c", "safe.directory=*", "-C", Root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            {
                RedirectStandardOutput = true,
            })!;
            string output = git.StandardOutput.ReadToEnd();
            git.WaitForExit();
            if (git.ExitCode == 0)
                return [.. output.Split('\0', StringSplitOptions.RemoveEmptyEntries).Where(file => File.Exists(PathOf(file)))];
        }
        return [.. Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/'))
            .Where(file => !file.Split('/').Any(part => part is "artifacts" or ".git" or "bin" or "obj"))];
    }
}
