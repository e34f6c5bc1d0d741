using System.Text;
using StartMethods.Spawning;

namespace StartMethods;

/// <summary>What a program that ran to its end left: its output, its status, what it used. Python's <c>CompletedProcess</c>.</summary>
public sealed class SpawnOutput
{
    private readonly string _fileName;
    private readonly Encoding _encoding;
    private string? _text, _error;

    internal SpawnOutput(string fileName, ExitStatus status, ResourceUsage? usage, OutputCapture output, OutputCapture error, Encoding encoding)
    {
        (_fileName, _encoding, ExitStatus, Usage) = (fileName, encoding, status, usage);
        (OutputBytes, ErrorBytes) = (output.Bytes, error.Bytes);
        (OutputTruncated, ErrorTruncated) = (output.IsTruncated, error.IsTruncated);
        OutputIncomplete = output.IsIncomplete || error.IsIncomplete;
    }

    /// <summary>How the program ended.</summary>
    public ExitStatus ExitStatus { get; }

    /// <summary>What it used; null where the system does not tell.</summary>
    public ResourceUsage? Usage { get; }

    /// <summary>Its standard output as text; empty where that was not captured.</summary>
    public string Text => _text ??= _encoding.GetString(OutputBytes.Span);

    /// <summary>Its standard error as text; empty where that was not captured.</summary>
    public string Error => _error ??= _encoding.GetString(ErrorBytes.Span);

    /// <summary>Its standard output.</summary>
    public ReadOnlyMemory<byte> OutputBytes { get; }

    /// <summary>Its standard error.</summary>
    public ReadOnlyMemory<byte> ErrorBytes { get; }

    /// <summary>It wrote more to its standard output than <see cref="SpawnRunOptions.OutputLimit"/>.</summary>
    public bool OutputTruncated { get; }

    /// <summary>It wrote more to its standard error than <see cref="SpawnRunOptions.OutputLimit"/>.</summary>
    public bool ErrorTruncated { get; }

    /// <summary>
    /// A descendant that the program left behind still had a pipe open when <see cref="SpawnRunOptions.DrainGrace"/> was over; what it writes later is not here.
    /// </summary>
    public bool OutputIncomplete { get; }

    /// <summary>Returns this if the program ended with exit code 0.</summary>
    /// <exception cref="ProgramFailedException">It did not.</exception>
    public SpawnOutput EnsureSuccess() => ExitStatus.Success ? this : throw new ProgramFailedException(_fileName, this);

    internal string LastLines()
    {
        const int Most = 2000;
        string text = Error.TrimEnd();
        return text.Length == 0 ? "" : ". It wrote to its standard error:\n" + (text.Length > Most ? "…" + text[^Most..] : text);
    }
}

/// <summary>A program ran, and ended otherwise than with exit code 0. The message holds its status and the end of its standard error.</summary>
public sealed class ProgramFailedException : StartMethodException
{
    internal ProgramFailedException(string fileName, SpawnOutput output) : base($"{fileName}: {output.ExitStatus}{output.LastLines()}") => Output = output;

    /// <summary>All that the program left.</summary>
    public SpawnOutput Output { get; }
}

/// <summary>A program ran longer than <see cref="SpawnRunOptions.Timeout"/> and was killed with its descendants.</summary>
public sealed class SpawnTimeoutException : TimeoutException
{
    internal SpawnTimeoutException(string fileName, TimeSpan limit, SpawnOutput output)
        : base($"{fileName} ran longer than {limit.TotalSeconds:0.###} s and was ended ({output.ExitStatus}){output.LastLines()}") => Output = output;

    /// <summary>What it had written until then.</summary>
    public SpawnOutput Output { get; }
}
