using System.Runtime.InteropServices;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>A start through the native library.</summary>
internal static class NativeStart
{
    private const string DefaultPath = "/usr/bin:/bin";

    internal static StartedProgram Start(SpawnInfo info, StandardStreams streams)
    {
        _ = UnwatchedChildren.Current; // without descriptors for it and for the reactor (EMFILE) nothing is started
        Credentials credentials = Credentials.Resolve(info);
        using StdioWiring wiring = new(info, streams);
        SpawnCall call = new()
        {
            File = SpawnText.Check(info.FileName, nameof(SpawnInfo.FileName)),
            SearchPath = SearchPath(info),
            Arguments = SpawnText.Arguments(info),
            Environment = SpawnText.Environment(info),
            Directory = info.WorkingDirectory is { } directory ? SpawnText.Check(directory, nameof(SpawnInfo.WorkingDirectory)) : null,
            Descriptors = wiring.Map,
            Limits = info.LimitsOrNull is { Count: > 0 } limits ? [.. limits.Select(ToNative)] : [],
            Groups = credentials.Groups ?? [],
            Affinity = info.ProcessorAffinity is { } processors ? AffinityMask(processors) : [],
            Options = Options(info, credentials),
            Deadline = info.StartTimeout is { } timeout ? Positive(timeout) : null,
        };
        int outcome = call.Invoke(out SpawnResult result);
        if (outcome < 0)
            throw SpawnFailure.Explain(info, call, result, -outcome);
        FileDescriptor? pidfd = result.Pidfd >= 0 ? new FileDescriptor(result.Pidfd) : null;
        ProcessLifetime lifetime = ProcessLifetime.OfChild(result.ProcessId, pidfd);
        if (call.IsOverdue)
            throw new SpawnException("exec", info.FileName, $"exec {info.FileName}: the program was not running after {info.StartTimeout!.Value.TotalSeconds:0.###} s, and the start was ended");
        return new StartedProgram(lifetime, wiring.TakeStream(0), wiring.TakeStream(1), wiring.TakeStream(2));
    }

    private static TimeSpan Positive(TimeSpan timeout)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero, nameof(SpawnInfo.StartTimeout));
        return timeout;
    }

    private static SpawnOptions Options(SpawnInfo info, Credentials credentials)
    {
        SpawnOptions options = new()
        {
            DefaultSignals = info.SignalDefaults is null ? ulong.MaxValue : SignalSet(info.SignalDefaults, nameof(SpawnInfo.SignalDefaults)),
            BlockedSignals = info.SignalMask is null ? 0 : SignalSet(info.SignalMask, nameof(SpawnInfo.SignalMask)),
        };
        void Set(bool condition, SpawnFlags flag) => options.Flags |= condition ? flag : SpawnFlags.None;
        Set(info.NewSession, SpawnFlags.Session);
        Set(info.KillOnParentExit, SpawnFlags.DieWithParent);
        Set(info.NoNewPrivileges, SpawnFlags.NoNewPrivileges);
        // A session leader leads its group already, and may not change it.
        if (info.ProcessGroup is { } group && !(group == 0 && info.NewSession))
            (options.ProcessGroup, options.Flags) = (group, options.Flags | SpawnFlags.ProcessGroup);
        if (info.ControllingTerminal is { } terminal)
            (options.ControllingTerminal, options.Flags) = (terminal, options.Flags | SpawnFlags.Terminal);
        if (info.FileModeMask is { } mask)
            (options.Umask, options.Flags) = ((uint)mask & 0x1FF, options.Flags | SpawnFlags.Umask);
        if (info.Nice is { } nice)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(nice, -20, nameof(SpawnInfo.Nice));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(nice, 19, nameof(SpawnInfo.Nice));
            (options.Nice, options.Flags) = (nice, options.Flags | SpawnFlags.Nice);
        }
        Set(credentials.Groups is not null, SpawnFlags.Groups);
        if (credentials.Group is { } gid)
            (options.Group, options.Flags) = (gid, options.Flags | SpawnFlags.Group);
        if (credentials.User is { } uid)
            (options.User, options.Flags) = (uid, options.Flags | SpawnFlags.User);
        return options;
    }

    private static string? SearchPath(SpawnInfo info) => info.PathSearch switch
    {
        PathSearch.None => null,
        _ when info.FileName.Contains('/') => null,
        PathSearch.Child when info.HasEnvironment => SpawnText.Check(info.Environment.TryGetValue("PATH", out string? path) && path is not null ? path : DefaultPath, "PATH"),
        _ => Environment.GetEnvironmentVariable("PATH") ?? DefaultPath,
    };

    private static ulong SignalSet(ICollection<PosixSignal> signals, string parameter)
    {
        ulong set = 0;
        foreach (PosixSignal signal in signals)
            set |= 1UL << (SignalNumber.Of(signal, parameter) - 1);
        return set;
    }

    private static byte[] AffinityMask(ICollection<int> processors)
    {
        byte[] mask = new byte[128]; // sizeof(cpu_set_t): 1024 processors
        if (processors.Count == 0)
            throw new ArgumentException("A program needs at least one processor.", nameof(SpawnInfo.ProcessorAffinity));
        foreach (int processor in processors)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(processor, nameof(SpawnInfo.ProcessorAffinity));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(processor, 1023, nameof(SpawnInfo.ProcessorAffinity));
            mask[processor / 8] |= (byte)(1 << (processor % 8));
        }
        return mask;
    }

    private static SpawnLimit ToNative(KeyValuePair<ResourceLimit, ResourceLimitValue> limit) =>
        new((uint)limit.Key, limit.Value.Hard is null ? 1u : 0u, limit.Value.Soft, limit.Value.Hard ?? 0);
}
