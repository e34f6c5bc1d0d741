using System.Text;

namespace StartMethods;

/// <summary>How <see cref="SpawnedProcess.RunAsync(SpawnInfo, SpawnRunOptions?, CancellationToken)"/> feeds a program and collects its output.</summary>
public sealed class SpawnRunOptions
{
    /// <summary>What the program reads from its standard input, which then ends; null: what <see cref="SpawnInfo.StandardInput"/> says.</summary>
    public ReadOnlyMemory<byte>? Input { get; init; }

    /// <summary><see cref="Input"/> as text in <see cref="Encoding"/>.</summary>
    public string? InputText { get; init; }

    /// <summary>
    /// How many bytes of standard output, and as many of standard error, are kept; what comes after them is read and thrown away, so that the
    /// program does not block. Default: 64 MiB. Memory is taken as output arrives.
    /// </summary>
    public int OutputLimit { get; init; } = 64 * 1024 * 1024;

    /// <summary>How long the program may run; then it is killed with its descendants, and <see cref="SpawnTimeoutException"/> is thrown. Null: for ever.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>
    /// How long after the program's end its pipes are still read if a descendant that it left behind keeps them open. What the program itself
    /// wrote is always complete. Default: 200 milliseconds.
    /// </summary>
    public TimeSpan DrainGrace { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The encoding of <see cref="InputText"/>, <see cref="SpawnOutput.Text"/> and <see cref="SpawnOutput.Error"/>. Default: UTF-8.</summary>
    public Encoding Encoding { get; init; } = new UTF8Encoding(false);

    /// <summary>Throws <see cref="ProgramFailedException"/> unless the program ends with exit code 0. Python's <c>check=True</c>.</summary>
    public bool Check { get; init; }
}
