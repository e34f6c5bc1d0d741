using StartMethods.Interop;

namespace StartMethods;

/// <summary>
/// What a process, and those of its own children that it waited for, used until its end: <c>getrusage(2)</c>, as <c>wait4(2)</c> reports it and
/// Python's <c>os.wait4</c> returns it.
/// </summary>
public sealed record ResourceUsage
{
    /// <summary>Processor time in user mode.</summary>
    public TimeSpan UserTime { get; init; }

    /// <summary>Processor time in the kernel.</summary>
    public TimeSpan SystemTime { get; init; }

    /// <summary>The largest resident set in bytes.</summary>
    public long MaxResidentBytes { get; init; }

    /// <summary>Page faults that needed no disk.</summary>
    public long MinorPageFaults { get; init; }

    /// <summary>Page faults that read from a disk.</summary>
    public long MajorPageFaults { get; init; }

    /// <summary>How often it gave up the processor to wait for something.</summary>
    public long VoluntaryContextSwitches { get; init; }

    /// <summary>How often the processor was taken from it.</summary>
    public long InvoluntaryContextSwitches { get; init; }

    /// <summary>User and system time together.</summary>
    public TimeSpan TotalTime => UserTime + SystemTime;

    internal static ResourceUsage? From(in ExitInfo info) => info.HasUsage == 0 ? null : new ResourceUsage
    {
        UserTime = TimeSpan.FromMicroseconds(info.UserMicroseconds),
        SystemTime = TimeSpan.FromMicroseconds(info.SystemMicroseconds),
        MaxResidentBytes = info.MaxResidentBytes,
        MinorPageFaults = info.MinorFaults,
        MajorPageFaults = info.MajorFaults,
        VoluntaryContextSwitches = info.VoluntarySwitches,
        InvoluntaryContextSwitches = info.InvoluntarySwitches,
    };
}
