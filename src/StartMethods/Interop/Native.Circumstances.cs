using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>sm_limit.</summary>
[StructLayout(LayoutKind.Sequential)]
internal record struct LimitPair(ulong Soft, ulong Hard);

/// <summary>sm_limit[SM_LIMITS], by RLIMIT_ number.</summary>
[InlineArray(Count)]
internal struct LimitTable
{
    internal const int Count = 16;
    private LimitPair _first;
}

/// <summary>sm_circumstances.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Circumstances
{
    internal const uint UnknownMask = uint.MaxValue;

    internal uint Size;
    internal uint Mask;
    internal int Directory;
    internal int Input, Output, Error;
    internal LimitTable Limits;
}

/// <summary>SM_BECOME_*.</summary>
internal enum BecomeStep : uint { None, Directory, Standard, Limits }

internal static partial class Native
{
    [LibraryImport(Library, EntryPoint = "sm_message_pair")]
    internal static unsafe partial int MessagePair(int* ends);

    /// <summary>Nothing more arrives: what is there is still received, then the end.</summary>
    [LibraryImport(Library, EntryPoint = "sm_message_end")]
    internal static partial int MessageEnd(int end);

    [LibraryImport(Library, EntryPoint = "sm_circumstances_take", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int CircumstancesTake(string? directory, ref Circumstances taken);

    [LibraryImport(Library, EntryPoint = "sm_circumstances_hold")]
    internal static partial int CircumstancesHold(in Circumstances taken);

    [LibraryImport(Library, EntryPoint = "sm_circumstances_become")]
    internal static partial int CircumstancesBecome(in Circumstances wanted, out BecomeStep step);

    [LibraryImport(Library, EntryPoint = "sm_environment_replace")]
    internal static partial int EnvironmentReplace(ReadOnlySpan<byte> block, ulong length);
}
