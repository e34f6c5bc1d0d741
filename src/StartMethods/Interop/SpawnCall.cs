namespace StartMethods.Interop;

/// <summary>The managed form of one <c>sm_spawn</c>.</summary>
internal sealed unsafe class SpawnCall
{
    internal required string File { get; init; }
    internal string? SearchPath { get; init; }
    internal required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>Shared with other starts, and not disposed here.</summary>
    internal required StringBlock Environment { get; init; }
    internal string? Directory { get; init; }
    internal required SpawnDescriptor[] Descriptors { get; init; }
    internal SpawnLimit[] Limits { get; init; } = [];
    internal uint[] Groups { get; init; } = [];
    internal byte[] Affinity { get; init; } = [];

    /// <summary>The fields without a pointer; the others are filled in by <see cref="Invoke"/>.</summary>
    internal SpawnOptions Options;

    /// <summary>A child that has not reached its exec after this time is killed; null: never.</summary>
    internal TimeSpan? Deadline { get; init; }

    /// <summary>The child was killed because of <see cref="Deadline"/>: a program that did start may be meant, and is dying.</summary>
    internal bool IsOverdue { get; private set; }

    /// <summary>Starts the program; returns 0 or −errno.</summary>
    internal int Invoke(out SpawnResult result)
    {
        using StringBlock arguments = new(Arguments);
        // Three that may be missing: the pointer stays null.
        using StringBlock paths = new([File, SearchPath ?? "", Directory ?? ""]);
        Options.Size = (uint)sizeof(SpawnOptions);
        Options.File = paths.Pointers[0];
        Options.SearchPath = SearchPath is null ? null : paths.Pointers[1];
        Options.Directory = Directory is null ? null : paths.Pointers[2];
        Options.Arguments = arguments.Pointers;
        Options.Environment = Environment.Pointers;
        int outcome = InvokePinned(out result);
        GC.KeepAlive(Environment);
        return outcome;
    }

    private int InvokePinned(out SpawnResult result)
    {
        SpawnResult answer = new() { Size = (uint)sizeof(SpawnResult) };
        fixed (SpawnDescriptor* descriptors = Descriptors)
        fixed (SpawnLimit* limits = Limits)
        fixed (uint* groups = Groups)
        fixed (byte* affinity = Affinity)
        fixed (SpawnOptions* options = &Options)
        {
            options->Descriptors = descriptors;
            options->DescriptorCount = (uint)Descriptors.Length;
            options->Limits = limits;
            options->LimitCount = (uint)Limits.Length;
            options->Groups = groups;
            options->GroupCount = (uint)Groups.Length;
            options->Affinity = affinity;
            options->AffinityBytes = (uint)Affinity.Length;
            int outcome = Deadline is { } deadline ? SpawnWithin(deadline, options, &answer) : Native.Spawn(options, &answer);
            result = answer;
            return outcome;
        }
    }

    // The start blocks this thread until the child has execed, which a file system that hangs can hold up for ever: another thread ends it.
    private int SpawnWithin(TimeSpan deadline, SpawnOptions* options, SpawnResult* answer)
    {
        answer->Pidfd = -1;
        nint shared = (nint)(&answer->Pidfd);
        Lock gate = new();
        bool returned = false;
        void End(object? _)
        {
            lock (gate) // the answer is in the caller's frame, and gone when it has returned
            {
                int pidfd = returned ? -1 : Volatile.Read(ref *(int*)shared);
                if (pidfd >= 0)
                    IsOverdue |= Native.ProcessSignal(0, pidfd, SignalNumber.Kill, SignalScope.Process) == 0;
            }
        }
        using Timer timer = new(End, null, deadline, TimeSpan.FromMilliseconds(10));
        int outcome = Native.Spawn(options, answer);
        lock (gate)
            returned = true;
        return outcome;
    }
}
