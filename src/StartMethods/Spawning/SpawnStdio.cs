using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods;

/// <summary>What one of the three standard descriptors of a program is connected to.</summary>
public sealed class SpawnStdio
{
    internal enum Target { Inherit, Null, Pipe, Handle, File, MergeIntoOutput }

    private SpawnStdio(Target kind) => Kind = kind;

    /// <summary>The same as in this process.</summary>
    public static SpawnStdio Inherit { get; } = new(Target.Inherit);

    /// <summary>/dev/null: no input, output thrown away. Python's <c>DEVNULL</c>.</summary>
    public static SpawnStdio Null { get; } = new(Target.Null);

    /// <summary>A pipe whose other end is a stream of the <see cref="SpawnedProcess"/>. Python's <c>PIPE</c>.</summary>
    public static SpawnStdio Pipe { get; } = new(Target.Pipe);

    /// <summary>For standard error only: wherever standard output goes, in order. Python's <c>STDOUT</c>, the shell's <c>2&gt;&amp;1</c>.</summary>
    public static SpawnStdio MergeIntoOutput { get; } = new(Target.MergeIntoOutput);

    internal Target Kind { get; }

    internal string? Path { get; private init; }

    internal OpenKind Mode { get; private init; }

    internal SafeHandle? Handle { get; private init; }

    /// <summary>Any open handle: a file, a pipe, a socket. It stays open in this process, and is the caller's to dispose.</summary>
    public static SpawnStdio FromHandle(SafeHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        return new SpawnStdio(Target.Handle) { Handle = handle };
    }

    /// <summary>Input from a file.</summary>
    public static SpawnStdio ReadFrom(string path) => OfFile(path, OpenKind.Read);

    /// <summary>Output into a file, which is created (mode 0666 less the umask) or emptied at each start.</summary>
    public static SpawnStdio WriteTo(string path) => OfFile(path, OpenKind.Truncate);

    /// <summary>Output to the end of a file, which is created where it is missing; each write is atomic, whoever else appends (O_APPEND).</summary>
    public static SpawnStdio AppendTo(string path) => OfFile(path, OpenKind.Append);

    /// <inheritdoc/>
    public override string ToString() => Path is null ? Kind.ToString() : $"{Mode} {Path}";

    private static SpawnStdio OfFile(string path, OpenKind mode)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new SpawnStdio(Target.File) { Path = path, Mode = mode };
    }
}
