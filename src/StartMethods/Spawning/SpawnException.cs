using StartMethods.Interop;

namespace StartMethods;

/// <summary>A program could not be started. The message names the step, the culprit and the error: "chdir /nope: ENOENT (No such file or directory)".</summary>
public sealed class SpawnException : StartMethodException
{
    internal SpawnException(string stage, string? path, int errno, string? remedy = null)
        : base(Text(stage, path, errno, remedy))
    {
        Stage = stage;
        Path = path;
        ErrorNumber = errno;
    }

    internal SpawnException(string stage, string? path, string message, Exception? inner = null) : base(message, inner)
    {
        Stage = stage;
        Path = path;
    }

    /// <summary>The step that failed, named after its system call: "exec", "chdir", "setrlimit" …</summary>
    public string Stage { get; }

    /// <summary>What it failed on: the path of the program or the directory, the limit, the user …; null where there is nothing to name.</summary>
    public string? Path { get; }

    /// <summary>The name of the error, such as "ENOENT"; null where no system call failed.</summary>
    public string? ErrorName => ErrorNumber == 0 ? null : NativeError.Name(ErrorNumber);

    private static string Text(string stage, string? path, int errno, string? remedy) =>
        $"{stage}{(path is null ? "" : " " + path)}: {NativeError.Describe(errno)}{(remedy is null ? "" : ". " + remedy)}";
}
