using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>sm_ring_watch: a word that is waited for.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct RingWatch
{
    internal uint* Word;
    internal uint* Sleeps;
    internal uint* PeerCpu;
    internal uint* OwnCpu;
    internal uint Seen;
    internal uint Reserved;
}

/// <summary>sm_ring_wait_state: how a thread waits, and what it learnt about waiting.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct RingWaitState
{
    internal uint Size;
    internal uint Count;
    internal RingWatch* Watches;
    internal int Bells;
    internal int TimeoutMilliseconds;
    internal uint MaxSpinNanoseconds;
    internal uint SpinNanoseconds;
    internal uint Waits;
    internal uint Processors;
    internal ulong Slept;
    internal ulong Spun;
    internal ulong VainNanoseconds;
    internal ulong SeenNanoseconds;
    internal long CreditNanoseconds;
}

internal static unsafe partial class Native
{
    /// <summary>SM_RING_ASLEEP.</summary>
    internal const uint RingAsleep = uint.MaxValue;

    // The offsets of sm_ring_header.
    internal const int RingHead = 0, RingProducerCpu = 4, RingProducerWaits = 8, RingTail = 128, RingConsumerSleeps = 132, RingHeaderSize = 256;

    [LibraryImport(Library, EntryPoint = "sm_ring_create")]
    internal static partial int RingCreate(ulong size);

    [LibraryImport(Library, EntryPoint = "sm_ring_map")]
    internal static partial int RingMap(int memory, ulong size, void** address);

    [LibraryImport(Library, EntryPoint = "sm_ring_unmap")]
    internal static partial int RingUnmap(void* address, ulong size);

    [LibraryImport(Library, EntryPoint = "sm_ring_discard")]
    internal static partial int RingDiscard(int memory, ulong offset, ulong length);

    [LibraryImport(Library, EntryPoint = "sm_ring_wait")]
    internal static partial int RingWait(RingWaitState* state);

    [LibraryImport(Library, EntryPoint = "sm_ring_wake")]
    internal static partial int RingWake(uint* word);

    [LibraryImport(Library, EntryPoint = "sm_ring_wait_for_room")]
    internal static partial int RingWaitForRoom(byte* ring, uint seen, int timeoutMilliseconds);

    // A few nanoseconds, and it can neither block nor call back.
    [LibraryImport(Library, EntryPoint = "sm_ring_processor"), SuppressGCTransition]
    internal static partial int RingProcessor();

    [LibraryImport(Library, EntryPoint = "sm_bell_create")]
    internal static partial int BellCreate();

    [LibraryImport(Library, EntryPoint = "sm_bell_ring")]
    internal static partial int BellRing(int bell);

    [LibraryImport(Library, EntryPoint = "sm_bells_create")]
    internal static partial int BellsCreate();

    [LibraryImport(Library, EntryPoint = "sm_bells_add")]
    internal static partial int BellsAdd(int bells, int bell);
}
