using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>SM_SPAWN_*.</summary>
[Flags]
internal enum SpawnFlags : uint
{
    None = 0, Session = 1, ProcessGroup = 2, Terminal = 4, Umask = 16, Nice = 32, Groups = 64, Group = 128, User = 256,
    NoNewPrivileges = 512, DieWithParent = 1024,
}

/// <summary>SM_STAGE_*.</summary>
internal enum SpawnStage : uint
{
    None, Clone, Session, ProcessGroup, Descriptor, Terminal, Close, Nice, Affinity, Limit, Groups, Group, User, Directory, NoNewPrivileges, Parent, Exec,
}

/// <summary>sm_spawn_descriptor: the parent's descriptor Source becomes Target in the program.</summary>
[StructLayout(LayoutKind.Sequential)]
internal record struct SpawnDescriptor(int Source, int Target);

/// <summary>sm_spawn_limit.</summary>
[StructLayout(LayoutKind.Sequential)]
internal record struct SpawnLimit(uint Resource, uint KeepHard, ulong Soft, ulong Hard);

/// <summary>sm_spawn_options.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SpawnOptions
{
    internal uint Size;
    internal SpawnFlags Flags;
    internal byte* File;
    internal byte* SearchPath;
    internal byte** Arguments;
    internal byte** Environment;
    internal byte* Directory;
    internal SpawnDescriptor* Descriptors;
    internal SpawnLimit* Limits;
    internal uint* Groups;
    internal byte* Affinity;
    internal uint DescriptorCount, LimitCount, GroupCount, AffinityBytes;
    internal ulong DefaultSignals, BlockedSignals;
    internal int ProcessGroup, ControllingTerminal;
    internal uint Umask;
    internal int Nice;
    internal uint Group, User;
}

/// <summary>sm_spawn_result.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SpawnResult
{
    internal uint Size;
    internal int ProcessId, Pidfd;
    internal SpawnStage Stage;
    internal uint Detail;
}

internal static unsafe partial class Native
{
    [LibraryImport(Library, EntryPoint = "sm_spawn")]
    internal static partial int Spawn(SpawnOptions* options, SpawnResult* result);
}
