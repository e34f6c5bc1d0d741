namespace StartMethods;

/// <summary>How a child is started, what it gets, and when it is ended. May be reused for any number of children, and must not be changed while one is started.</summary>
public sealed class ChildOptions
{
    /// <summary>The deepest nesting that <see cref="MaxDepth"/> allows by default.</summary>
    internal const int DefaultMaxDepth = 16;

    internal static readonly ChildOptions Defaults = new();

    /// <summary>How it is started; null: <see cref="StartMethod.Default"/>.</summary>
    public StartMethod? Method { get; set; }

    /// <summary>A name for people, in errors and in <see cref="ChildProcess.Current"/>; null: "child-1", "child-2" …</summary>
    public string? Name { get; set; }

    /// <summary>Variables that the child gets beside those of this process; a null value removes one.</summary>
    public IDictionary<string, string?> Environment { get; } = new Dictionary<string, string?>(StringComparer.Ordinal);

    /// <summary>Starts from an empty environment instead of that of this process.</summary>
    public bool ClearEnvironment { get; set; }

    /// <summary>The directory in which it starts; null: that of this process.</summary>
    public string? WorkingDirectory { get; set; }

    /// <summary>Its standard input; null: <see cref="SpawnStdio.Null"/>, so that children do not take the application's input from it.</summary>
    public SpawnStdio? StandardInput { get; set; }

    /// <summary>Its standard output; null: <see cref="SpawnStdio.Inherit"/>.</summary>
    public SpawnStdio? StandardOutput { get; set; }

    /// <summary>
    /// Its standard error. Null: it is passed on to that of this process, and its last lines are kept for <see cref="ChildCrashedException"/>. Anything else,
    /// <see cref="SpawnStdio.Inherit"/> too, bypasses that: no lines are kept then.
    /// </summary>
    public SpawnStdio? StandardError { get; set; }

    /// <summary>
    /// How long the child may take from its start to its answer, before it is ended and <see cref="ChildTimeoutException"/> is thrown; default: no limit. Zero
    /// or less than <see cref="Timeout.InfiniteTimeSpan"/> is an <see cref="ArgumentOutOfRangeException"/>.
    /// </summary>
    public TimeSpan Timeout { get; set { Limit(value, nameof(Timeout)); field = value; } } = System.Threading.Timeout.InfiniteTimeSpan;

    /// <summary>How long it may take until its runtime is up and has reported, before it is killed; default: one minute.</summary>
    public TimeSpan StartTimeout { get; set { Limit(value, nameof(StartTimeout)); field = value; } } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The patience of each step when a child is to end: first its token is cancelled, after this time it gets SIGTERM, after the same time again SIGKILL. Also how
    /// long a child may take to exit after its answer. Default: 5 seconds. A body without a token parameter cannot be asked: it gets SIGTERM at once.
    /// </summary>
    public TimeSpan Grace
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero);
            field = value;
        }
    } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether the child ends when this process does, however that ends: SIGKILL too. Default: true. Its token is cancelled then, and it has a second to leave.
    /// </summary>
    public bool KillOnParentExit { get; set; } = true;

    /// <summary>Whether the child goes on when this process has ended: the opposite of <see cref="KillOnParentExit"/>.</summary>
    public bool Detached
    {
        get => !KillOnParentExit;
        set => KillOnParentExit = !value;
    }

    /// <summary>Takes over how values of some types travel; null: the library's own form for all. See <see cref="IPayloadSerializer"/>.</summary>
    public IPayloadSerializer? Serializer { get; set; }

    /// <summary>The most bytes that a result may have on its way; default: 1 GiB. What is larger fails in the child, with this setting's name.</summary>
    public long MaxResultBytes
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            field = value;
        }
    } = Channels.FrameLimits.DefaultMaxBytes;

    /// <summary>How deep children may start children before it is taken for a chain without end (a fork bomb); default: 16.</summary>
    public int MaxDepth
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            field = value;
        }
    } = DefaultMaxDepth;

    /// <summary>Takes the frames of a conversation that the body, one of the library itself, leads with this side; it owns them. Called on the reactor's thread.</summary>
    internal Action<Channels.Frame>? UserFrame { get; set; }

    /// <summary>Takes the lines of standard output and standard error in this process, whatever the options say of those; null: it does not.</summary>
    internal Channels.IOutputTaker? OutputTaker { get; init; }

    internal Channels.IOutputTaker? ErrorTaker { get; init; }

    /// <summary>See <see cref="Bootstrap.SetupMessage.OwnsChannel"/>.</summary>
    internal bool OwnsChannel { get; init; }

    private static void Limit(TimeSpan value, string name)
    {
        if (value <= TimeSpan.Zero && value != System.Threading.Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(name, value, "must be positive, or Timeout.InfiniteTimeSpan for no limit");
    }
}
