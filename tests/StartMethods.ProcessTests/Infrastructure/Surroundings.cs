using System.Diagnostics;

namespace StartMethods.ProcessTests;

/// <summary>What a test might leave behind: children and zombies of this process, open descriptors, files in the shared places.</summary>
internal sealed class Surroundings
{
    private static readonly string[] SharedPlaces = ["/tmp", "/dev/shm"];

    private IReadOnlyDictionary<int, string> _children = new Dictionary<int, string>();
    private List<string> _descriptors = [];
    private HashSet<string> _files = [];

    internal static Surroundings Look() => new() { _children = Children(), _descriptors = Descriptors(), _files = Files() };

    /// <summary>The children of this process, zombies included: process id → "state command".</summary>
    internal static IReadOnlyDictionary<int, string> Children()
    {
        Dictionary<int, string> children = [];
        foreach (string directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), out int id) || Stat(id) is not { } stat || stat.Parent != Environment.ProcessId)
                continue;
            children[id] = $"{stat.State} {stat.Command}";
        }
        return children;
    }

    /// <summary>Whether a process exists and is no zombie.</summary>
    internal static bool IsAlive(int id) => Stat(id) is { } stat && stat.State is not ('Z' or 'X');

    internal string Difference(Surroundings before)
    {
        List<string> left = [];
        left.AddRange(_children.Where(c => !before._children.ContainsKey(c.Key)).Select(c => $"child {c.Key}: {c.Value}"));
        // By what they refer to, not by number: numbers are reused. Sockets and pipes are counted by kind, since their inode differs each time.
        List<string> descriptors = [.. _descriptors];
        foreach (string known in before._descriptors)
            descriptors.Remove(known);
        left.AddRange(descriptors.Select(d => $"descriptor of {d}"));
        left.AddRange(_files.Except(before._files).Select(f => $"file {f}"));
        return string.Join('\n', left);
    }

    /// <summary>Kills children that were not there before, so that one test's leak does not fail the next.</summary>
    internal static void EndLeftChildren(Surroundings before)
    {
        foreach ((int id, string name) in Children().Where(c => !before._children.ContainsKey(c.Key)))
            End(id, name);
    }

    internal static void End(int id, string name)
    {
        try
        {
            using Process process = Process.GetProcessById(id);
            process.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            TestContext.Error.WriteLine($"process {id} ({name}) has ended meanwhile");
        }
    }

    private static (char State, int Parent, string Command)? Stat(int id)
    {
        try
        {
            string text = File.ReadAllText($"/proc/{id}/stat");
            int end = text.LastIndexOf(')');
            string[] fields = text[(end + 2)..].Split(' ');
            return (fields[0][0], int.Parse(fields[1]), text[(text.IndexOf('(') + 1)..end]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // it ended while we looked
        }
    }

    private static List<string> Descriptors()
    {
        List<string> targets = [];
        foreach (string link in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            string? target;
            try
            {
                target = new FileInfo(link).LinkTarget;
            }
            catch (IOException)
            {
                continue; // closed while we looked
            }
            // The runtime maps assemblies, and opens the directory that is being listed, whenever it likes.
            if (target is null || target.EndsWith(".dll", StringComparison.Ordinal) || target.EndsWith(".pdb", StringComparison.Ordinal) || target.StartsWith("/proc/", StringComparison.Ordinal))
                continue;
            int bracket = target.IndexOf(":[", StringComparison.Ordinal);
            targets.Add(bracket > 0 ? target[..bracket] : target);
        }
        return targets;
    }

    private static HashSet<string> Files()
    {
        HashSet<string> files = [];
        foreach (string place in SharedPlaces.Where(Directory.Exists))
            foreach (string entry in Directory.EnumerateFileSystemEntries(place))
            {
                string name = Path.GetFileName(entry);
                // Diagnostics sockets of .NET processes, this one's included, come and go with them; they are not ours.
                if (!name.StartsWith("dotnet-diagnostic-", StringComparison.Ordinal) && !name.StartsWith("clr-debug-pipe-", StringComparison.Ordinal) && IsOurs(name))
                    files.Add(entry);
            }
        return files;
    }

    // Other programs use these places too; what this library or a test made would carry one of these.
    private static bool IsOurs(string name) =>
        name.Contains("startmethods", StringComparison.OrdinalIgnoreCase) || name.StartsWith("sm-", StringComparison.Ordinal) || name.StartsWith("sm_", StringComparison.Ordinal)
        || name.Contains("libstartm", StringComparison.OrdinalIgnoreCase);
}
