namespace StartMethods;

/// <summary>What a <see cref="ForkFinding"/> is about.</summary>
public enum ForkFindingKind
{
    /// <summary>This process cannot be forked at all.</summary>
    NotSupported,

    /// <summary>The process is ending: its ProcessExit handlers run.</summary>
    Exiting,

    /// <summary>The main thread is doing something else than waiting for the thread that forks.</summary>
    MainThread,

    /// <summary>A thread of the application would not live on in the child, or do its work twice.</summary>
    UserThread,

    /// <summary>A thread that native code has started.</summary>
    ForeignThread,

    /// <summary>Workers of the thread pool are in the middle of work items.</summary>
    BusyPool,

    /// <summary>Sockets have pending asynchronous operations.</summary>
    PendingSockets,

    /// <summary>The caller runs within a finalizer.</summary>
    Finalizer,

    /// <summary>The caller runs within a static constructor.</summary>
    StaticConstructor,

    /// <summary>The caller runs within an assembly of another load context than the default one.</summary>
    LoadContext,

    /// <summary>A debugger is attached, of managed or of native code; strace is named too, but makes no fork unsafe.</summary>
    Debugger,

    /// <summary>Memory is mapped that a fork leaves out.</summary>
    UnsharedMemory,

    /// <summary>A crashing child would dump this process instead of itself.</summary>
    CrashDumps,

    /// <summary>For information: executable memory is mapped twice (W^X), so a fork waits until the child has made its copy.</summary>
    CodeMemory,
}

/// <summary>One thing that speaks against a fork now, or that is worth knowing before one.</summary>
public sealed record ForkFinding
{
    /// <summary>What it is about.</summary>
    public required ForkFindingKind Kind { get; init; }

    /// <summary>What was found, in one sentence.</summary>
    public required string Message { get; init; }

    /// <summary>What can be done about it; null for what is information only.</summary>
    public string? Remedy { get; init; }

    /// <summary>The thread that it is about; null where it is about none.</summary>
    public ForkSafetyThread? Thread { get; init; }

    /// <summary>Whether it makes the fork unsafe; if not, it is information.</summary>
    public bool IsUnsafe { get; init; } = true;

    /// <summary>The message.</summary>
    public override string ToString() => Message;
}
