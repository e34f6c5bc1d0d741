using System.Diagnostics;
using System.Globalization;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>A process and its descendants, as /proc tells them.</summary>
internal static class ProcessTree
{
    internal static void Kill(ProcessLifetime root)
    {
        if (Native.IsPortable)
        {
            KillPortable(root);
            return;
        }
        // Stopped first, a process can neither start nor lose children; its pid stays its own while its (stopped) parent cannot reap it.
        if (!root.Signal(SignalNumber.Stop))
            return;
        List<FileDescriptor> found = [];
        try
        {
            HashSet<int> seen = [root.Id];
            Queue<int> parents = new(seen);
            while (parents.TryDequeue(out int parent))
                foreach (int child in ChildrenOf(parent))
                    if (seen.Add(child) && Stop(child, parent) is { } pidfd)
                    {
                        found.Add(pidfd);
                        parents.Enqueue(child);
                    }
            if (LeadsGroup(root.Id))
                root.Signal(SignalNumber.Kill, SignalScope.Group);
            root.Signal(SignalNumber.Kill);
            foreach (FileDescriptor pidfd in found)
                _ = Native.ProcessSignal(0, pidfd.Number, SignalNumber.Kill, SignalScope.Process); // ESRCH: the group's signal was first
        }
        finally
        {
            foreach (FileDescriptor pidfd in found)
                pidfd.Dispose();
        }
    }

    private static FileDescriptor? Stop(int child, int parent)
    {
        int pidfd = Native.ProcessOpen(child);
        if (pidfd < 0)
            return null;
        FileDescriptor descriptor = new(pidfd);
        // The pidfd was opened by number: that it is the one we mean is checked after it is held.
        if (ParentAndGroup(child).Parent == parent && Native.ProcessSignal(0, pidfd, SignalNumber.Stop, SignalScope.Process) == 0)
            return descriptor;
        descriptor.Dispose();
        return null;
    }

    private static List<int> ChildrenOf(int parent)
    {
        List<int> children = [];
        foreach (string directory in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(Path.GetFileName(directory.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out int id) && ParentAndGroup(id).Parent == parent)
                children.Add(id);
        return children;
    }

    private static bool LeadsGroup(int id) => ParentAndGroup(id).Group == id;

    // /proc/ID/stat: "id (name) state parent group …"; the name may hold anything, so it is skipped from the last parenthesis on.
    private static (int Parent, int Group) ParentAndGroup(int id)
    {
        try
        {
            string line = File.ReadAllText($"/proc/{id}/stat");
            string[] fields = line[(line.LastIndexOf(')') + 2)..].Split(' ', 4);
            return (int.Parse(fields[1], CultureInfo.InvariantCulture), int.Parse(fields[2], CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (-1, -1); // it has ended meanwhile
        }
    }

    private static void KillPortable(ProcessLifetime root)
    {
        try
        {
            using Process process = Process.GetProcessById(root.Id);
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // It has ended already.
        }
    }
}
