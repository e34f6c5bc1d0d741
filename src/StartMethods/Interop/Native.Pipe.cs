using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>SM_OPEN_*.</summary>
internal enum OpenKind : uint { Read = 0, Truncate = 1, Append = 2 }

internal static unsafe partial class Native
{
    [LibraryImport(Library, EntryPoint = "sm_pipe")]
    private static partial int Pipe(int* ends, int nonblockingEnd);

    [LibraryImport(Library, EntryPoint = "sm_open_null")]
    internal static partial int OpenNull();

    [LibraryImport(Library, EntryPoint = "sm_open_file", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int OpenFile(string path, OpenKind kind);

    [LibraryImport(Library, EntryPoint = "sm_is_inheritable")]
    internal static partial int IsInheritable(int descriptor);

    [LibraryImport(Library, EntryPoint = "sm_read")]
    private static partial long Read(SafeHandle descriptor, byte* buffer, ulong count);

    [LibraryImport(Library, EntryPoint = "sm_write")]
    private static partial long Write(SafeHandle descriptor, byte* buffer, ulong count);

    /// <summary>A close-on-exec pipe. <paramref name="nonblockingEnd"/>: 0 the reading end, 1 the writing end, −1 none. Returns −errno without one.</summary>
    internal static int CreatePipe(int nonblockingEnd, out FileDescriptor? read, out FileDescriptor? write)
    {
        int* ends = stackalloc int[2];
        int result = Pipe(ends, nonblockingEnd);
        (read, write) = result < 0 ? (null, null) : (new FileDescriptor(ends[0]), new FileDescriptor(ends[1]));
        return result;
    }

    /// <summary>Returns the number of bytes, 0 at the end, or −errno.</summary>
    internal static int Read(SafeHandle descriptor, Span<byte> buffer)
    {
        fixed (byte* start = buffer)
            return (int)Read(descriptor, start, (ulong)buffer.Length);
    }

    /// <summary>Returns the number of bytes written, or −errno.</summary>
    internal static int Write(SafeHandle descriptor, ReadOnlySpan<byte> buffer)
    {
        fixed (byte* start = buffer)
            return (int)Write(descriptor, start, (ulong)buffer.Length);
    }
}
