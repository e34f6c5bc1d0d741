using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>The head of a record in a ring, as it stands there. A reader copies it once and checks the copy: the other side may write meanwhile.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RingRecord
{
    internal const int Size = 32;
    internal const int StateOffset = 20;

    /// <summary>Bytes of the whole record, a multiple of 8.</summary>
    internal uint Length;

    internal RingRecordKind Kind;
    internal ushort Flags;
    internal long Id;

    /// <summary>Bytes of the payload that stand in the ring, behind the extents.</summary>
    internal uint PayloadLength;

    /// <summary>Of a task, who has it: nobody yet, the worker (begun), the application (taken back). Of an answer: how long it took, in ticks of 100 ns.</summary>
    internal uint State;

    /// <summary>How many pieces in the arena belong to it.</summary>
    internal uint ExtentCount;

    /// <summary>Of a task: how many bytes of the payload's end are the caller's trace. Of a result: where the failure of a chunk begins behind its first results.</summary>
    internal uint Extra;
}

/// <summary>A piece of an arena.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct RingExtent(long Offset, long Length)
{
    internal const int Size = 16;
}

internal enum RingRecordKind : ushort
{
    /// <summary>The rest of the ring's end, too short for what follows.</summary>
    Padding,

    /// <summary>Application → worker: run it.</summary>
    Task,

    /// <summary>Application → worker: leave.</summary>
    Stop,

    /// <summary>Worker → application: the value that the body returned.</summary>
    Result,

    /// <summary>Worker → application: what the body threw.</summary>
    Failure,

    /// <summary>Worker → application: it takes tasks.</summary>
    Ready,

    /// <summary>Worker → application: what the initializer threw; the worker leaves.</summary>
    InitializerFailed,
}

/// <summary>Bits of <see cref="RingRecord.Flags"/>.</summary>
internal static class RingRecordFlags
{
    /// <summary>The first extent is the payload.</summary>
    internal const ushort PayloadInArena = 1;

    /// <summary>The body takes a cancellation token.</summary>
    internal const ushort Cooperative = 2;

    /// <summary>Handles come, or have come, over the channel.</summary>
    internal const ushort HasHandles = 4;

    /// <summary>The handles are the body's own; else they are closed when the task has ended.</summary>
    internal const ushort KeepsHandles = 8;
}
