using System.Reflection;
using System.Runtime.InteropServices;

namespace StartMethods.Bootstrap;

/// <summary>The command that starts this application again, as a child: the same files under the same runtime.</summary>
internal sealed record RelaunchCommand(string FileName, IReadOnlyList<string> Arguments, bool NeedsHook);

/// <summary>
/// Finds that command. An application with the package's module initializer is started as itself, and the startup hook keeps it from Main. A host that
/// is not ours (a test host, say) has a Main that would do something else, so there <c>StartMethods.WorkerHost.dll</c> runs in its place, with the
/// application's own deps.json and runtimeconfig.json.
/// </summary>
internal static class Relaunch
{
    private const string WorkerHost = "StartMethods.WorkerHost.dll";
    private static RelaunchCommand? s_command;

    /// <summary>Whether the entry assembly of this process has the package's module initializer.</summary>
    internal static bool IsRegistered { get; set; }

    /// <summary>The command; found once.</summary>
    /// <exception cref="StartMethodException">This process cannot be started again; the message says what is missing.</exception>
    internal static RelaunchCommand Command => s_command ??= IsRegistered ? SameApplication() : ThroughWorkerHost();

    private static RelaunchCommand SameApplication()
    {
        string process = Environment.ProcessPath ?? throw new StartMethodException("the path of this process's executable cannot be found (is /proc mounted?)");
        string entry = Location(Assembly.GetEntryAssembly());
        if (entry.Length == 0 || !IsMuxer(process))
            return new RelaunchCommand(process, [], NeedsHook: true); // an apphost, or a single file
        return new RelaunchCommand(process, [.. HostOptions(entry), entry], NeedsHook: true);
    }

    /// <summary>What stood between <c>dotnet</c> and the application: "exec --depsfile … --runtimeconfig …", made absolute.</summary>
    private static List<string> HostOptions(string entry)
    {
        List<string> options = [];
        if (!File.Exists("/proc/self/cmdline"))
            return options;
        string[] words = File.ReadAllText("/proc/self/cmdline").Split('\0');
        string name = Path.GetFileName(entry);
        for (int i = 1; i < words.Length; i++)
        {
            if (Path.GetFileName(words[i]) == name)
                return options;
            options.Add(words[i].Length > 0 && words[i][0] != '-' && File.Exists(words[i]) ? Path.GetFullPath(words[i]) : words[i]);
        }
        return [];
    }

    private static RelaunchCommand ThroughWorkerHost()
    {
        string? deps = DepsFile();
        string host = WorkerHostPath(deps);
        string runtimeConfig = RuntimeConfig(deps, Path.GetDirectoryName(host)!);
        List<string> arguments = ["exec", "--runtimeconfig", runtimeConfig];
        if (deps is not null)
            arguments.AddRange(["--depsfile", deps]);
        if (AppContext.GetData("PROBING_DIRECTORIES") is string probing)
        {
            foreach (string directory in probing.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
                arguments.AddRange(["--additionalprobingpath", directory]);
        }
        arguments.Add(host);
        return new RelaunchCommand(Muxer(), arguments, NeedsHook: false);
    }

    /// <summary>Beside the application: the library itself may lie in a folder for its platform.</summary>
    private static string WorkerHostPath(string? deps)
    {
        foreach (string? folder in (string?[])[Path.GetDirectoryName(deps), AppContext.BaseDirectory, Path.GetDirectoryName(Location(typeof(Relaunch).Assembly))])
        {
            if (!string.IsNullOrEmpty(folder) && File.Exists(Path.Combine(folder, WorkerHost)))
                return Path.Combine(folder, WorkerHost);
        }
        throw new StartMethodException($"{EntryName()} cannot be started again as a child: it has no module initializer of StartMethods (is the package referenced, and are its build assets "
            + $"not excluded?), and {WorkerHost}, which would run in its place, is not in {AppContext.BaseDirectory}");
    }

    private static string? DepsFile()
    {
        // The application's own comes first, then those of the frameworks.
        string? files = AppContext.GetData("APP_CONTEXT_DEPS_FILES") as string;
        string? first = files?.Split(';', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return first is not null && File.Exists(first) && !first.StartsWith(RuntimeEnvironment.GetRuntimeDirectory(), StringComparison.Ordinal) ? first : null;
    }

    private static string RuntimeConfig(string? deps, string folder)
    {
        List<string> candidates = [];
        const string depsEnding = ".deps.json", ending = ".runtimeconfig.json";
        if (deps is not null && deps.EndsWith(depsEnding, StringComparison.Ordinal))
            candidates.Add(deps[..^depsEnding.Length] + ending);
        string entry = Location(Assembly.GetEntryAssembly());
        if (entry.Length > 0)
            candidates.Add(Path.ChangeExtension(entry, null) + ending);
        candidates.Add(Path.Combine(folder, Path.ChangeExtension(WorkerHost, null) + ending));
        foreach (string candidate in candidates)
        {
            if (File.Exists(candidate))
                return candidate;
        }
        throw new StartMethodException($"{EntryName()} cannot be started again as a child: none of its possible runtimeconfig.json files exists ({string.Join(", ", candidates)})");
    }

    /// <summary>The <c>dotnet</c> that belongs to the runtime of this process.</summary>
    private static string Muxer()
    {
        string name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        List<string> candidates = [];
        if (Environment.ProcessPath is { } process && IsMuxer(process))
            candidates.Add(process);
        // …/shared/Microsoft.NETCore.App/10.0.0/
        candidates.Add(Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name)));
        foreach (string variable in (string[])["DOTNET_HOST_PATH", "DOTNET_ROOT"])
        {
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value)
                candidates.Add(variable == "DOTNET_ROOT" ? Path.Combine(value, name) : value);
        }
        foreach (string candidate in candidates)
        {
            if (File.Exists(candidate))
                return candidate;
        }
        throw new StartMethodException($"{EntryName()} cannot be started again as a child: no dotnet host was found ({string.Join(", ", candidates)}); set DOTNET_ROOT to the folder that holds it");
    }

    private static bool IsMuxer(string path) => Path.GetFileNameWithoutExtension(path) == "dotnet";

    private static string EntryName() => Assembly.GetEntryAssembly()?.GetName().Name ?? "This process";

    // Empty in a single-file application, which is what is asked here.
    [System.Diagnostics.CodeAnalysis.UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "An empty location is how a single file is recognised.")]
    private static string Location(Assembly? assembly) => assembly?.Location ?? "";
}
