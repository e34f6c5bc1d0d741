using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>One event of <c>sm_reactor_wait</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ReactorEvent
{
    internal ulong Key;
    internal uint Events;
    internal uint Reserved;
}

/// <summary>SM_REACTOR_*: what a watch waits for.</summary>
[Flags]
internal enum ReactorInterest : uint
{
    /// <summary>Data, the end of file, or the end of the process behind a pidfd.</summary>
    Read = 1,

    /// <summary>Room to write, or a reader that is gone.</summary>
    Write = 2,

    /// <summary>Disarmed by its first event until it is armed again.</summary>
    Once = 4,
}

internal static partial class Native
{
    [LibraryImport(Library, EntryPoint = "sm_reactor_create")]
    internal static partial int ReactorCreate();

    [LibraryImport(Library, EntryPoint = "sm_reactor_add")]
    internal static partial int ReactorAdd(int reactor, int descriptor, ReactorInterest interest, ulong key);

    [LibraryImport(Library, EntryPoint = "sm_reactor_modify")]
    internal static partial int ReactorModify(int reactor, int descriptor, ReactorInterest interest, ulong key);

    [LibraryImport(Library, EntryPoint = "sm_reactor_remove")]
    internal static partial int ReactorRemove(int reactor, int descriptor);

    [LibraryImport(Library, EntryPoint = "sm_reactor_wait")]
    internal static unsafe partial int ReactorWait(int reactor, int ownerProcessId, ReactorEvent* events, int capacity);
}
