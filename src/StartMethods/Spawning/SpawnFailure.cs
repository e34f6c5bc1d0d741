using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>Puts the stage and errno of a failed start into words: the step, what it failed on, and what to do about it.</summary>
internal static class SpawnFailure
{
    private const int PermissionDenied = 1, NotFound = 2, TooBig = 7, FormatError = 8, TryAgain = 11, OutOfMemory = 12, NoAccess = 13, NotADirectory = 20, TooManyFilesInSystem = 23, TooManyFiles = 24, Busy = 26;

    internal static SpawnException Explain(SpawnInfo info, SpawnCall call, in SpawnResult result, int errno) => result.Stage switch
    {
        SpawnStage.Clone => new("clone", null, errno, errno switch
        {
            TryAgain => "No more processes may be created: see RLIMIT_NPROC of this user (ulimit -u) and the pids limit of this container or cgroup",
            OutOfMemory => "The kernel has no memory for another process",
            _ => DescriptorRemedy(errno),
        }),
        SpawnStage.Session => new("setsid", null, errno),
        SpawnStage.ProcessGroup => new("setpgid", $"{info.ProcessGroup}", errno, "The group must be one of this session, or 0 for a new one"),
        SpawnStage.Descriptor => Descriptor(call.Descriptors[result.Detail], errno),
        SpawnStage.Terminal => new("TIOCSCTTY", $"descriptor {info.ControllingTerminal}", errno),
        SpawnStage.Close => new("close_range", null, errno),
        SpawnStage.Nice => new("setpriority", $"{info.Nice}", errno, errno == NoAccess ? "Only a privileged process may lower its nice value" : null),
        SpawnStage.Affinity => new("sched_setaffinity", string.Join(",", info.ProcessorAffinity!), errno, "This process may use none of these processors"),
        SpawnStage.Limit => new("setrlimit", Limit(call.Limits[result.Detail]), errno,
            errno == PermissionDenied ? "Only a privileged process may raise a hard limit" : null),
        SpawnStage.Groups => new("setgroups", null, errno, Privilege(errno)),
        SpawnStage.Group => new("setgid", info.Group ?? info.User, errno, Privilege(errno)),
        SpawnStage.User => new("setuid", info.User, errno, Privilege(errno)),
        SpawnStage.Directory => new("chdir", info.WorkingDirectory, errno),
        SpawnStage.NoNewPrivileges => new("prctl(PR_SET_NO_NEW_PRIVS)", null, errno),
        SpawnStage.Parent => new("start", info.FileName, errno, "This process ended during the start"),
        SpawnStage.Exec => new("exec", info.FileName, errno, Exec(info, call, errno)),
        _ => new("start", info.FileName, errno),
    };

    /// <summary>What to do where this process, or the system, has no descriptor left.</summary>
    internal static string? DescriptorRemedy(int errno) => errno switch
    {
        TooManyFiles => "This process has as many descriptors open as it may: see RLIMIT_NOFILE (ulimit -n)",
        TooManyFilesInSystem => "The system has as many files open as it may: see fs.file-max",
        _ => null,
    };

    private static SpawnException Descriptor(SpawnDescriptor descriptor, int errno) =>
        new("dup", $"descriptor {descriptor.Source} to {descriptor.Target}", errno, errno == TooManyFiles ? "The number is above RLIMIT_NOFILE (ulimit -n)" : null);

    private static string Limit(SpawnLimit limit) => $"{(ResourceLimit)limit.Resource} {limit.Soft}{(limit.KeepHard != 0 ? "" : $"/{limit.Hard}")}";

    private static string? Privilege(int errno) => errno == PermissionDenied ? "Only a privileged process may change its user and groups" : null;

    private static string? Exec(SpawnInfo info, SpawnCall call, int errno) => errno switch
    {
        NotFound when call.SearchPath is not null => $"It was searched in {call.SearchPath}",
        NotFound when File.Exists(InDirectory(info)) => "The file exists: the interpreter or dynamic loader that it names does not",
        NoAccess => "It, or a directory on the way to it, may not be executed by this user",
        NotADirectory => "A part of the path is not a directory",
        FormatError => "It is neither a program of this machine nor a script that begins with #!",
        Busy => "The file is open for writing",
        TooBig => "The arguments and the environment together are too long",
        _ => null,
    };

    private static string InDirectory(SpawnInfo info) => info.WorkingDirectory is null ? info.FileName : Path.Combine(info.WorkingDirectory, info.FileName);
}
