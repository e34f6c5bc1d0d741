namespace StartMethods;

/// <summary>One thread of this process at the time of a <see cref="ForkSafetyReport"/>.</summary>
public sealed record ForkSafetyThread
{
    /// <summary>The kernel's id of the thread (<c>gettid(2)</c>), as debuggers and /proc/self/task show it.</summary>
    public required int Id { get; init; }

    /// <summary><see cref="Thread.ManagedThreadId"/>; null for a thread that the runtime does not know.</summary>
    public int? ManagedId { get; init; }

    /// <summary>The name that the kernel knows, at most 15 bytes of it. A thread without one of its own has that of the thread that started it.</summary>
    public required string Name { get; init; }

    /// <summary>What it is for.</summary>
    public required ForkThreadKind Kind { get; init; }

    /// <summary>What it is doing, for people: "blocked in read(0)", "running managed code".</summary>
    public required string Activity { get; init; }

    /// <summary>Whether the calls that it is in block it, so that it stands still.</summary>
    public bool IsBlocked { get; init; }

    /// <summary>Whether it makes a fork unsafe.</summary>
    public bool IsUnsafe { get; init; }

    /// <summary>"user thread 'writer' (native id 4711, managed id 9): running managed code".</summary>
    public override string ToString() =>
        $"{NameOf(Kind)} thread '{Name}' (native id {Id}{(ManagedId is { } managed ? $", managed id {managed}" : "")}): {Activity}";

    internal static string NameOf(ForkThreadKind kind) => kind switch
    {
        ForkThreadKind.Main => "main",
        ForkThreadKind.Runtime => "runtime",
        ForkThreadKind.PoolIdle => "idle pool",
        ForkThreadKind.PoolBusy => "busy pool",
        ForkThreadKind.PoolGate => "pool gate",
        ForkThreadKind.Timer => "timer",
        ForkThreadKind.Sockets => "socket",
        ForkThreadKind.Library => "StartMethods",
        ForkThreadKind.User => "user",
        _ => "foreign native",
    };
}
