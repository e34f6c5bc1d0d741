using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>How a child ended, as <c>sm_exit_info</c> tells it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ExitInfo
{
    internal uint Size;
    internal ExitKind Kind;
    internal int Value;
    internal uint HasUsage;
    internal long UserMicroseconds, SystemMicroseconds, MaxResidentBytes, MinorFaults, MajorFaults, VoluntarySwitches, InvoluntarySwitches;
}

/// <summary>SM_EXIT_*.</summary>
internal enum ExitKind : uint { Running = 0, Code = 1, Signal = 2, Dumped = 3, Lost = 4 }

/// <summary>SM_SIGNAL_*: whom a signal is for.</summary>
internal enum SignalScope : uint { Process = 0, Group = 1 }

internal static partial class Native
{
    [LibraryImport(Library, EntryPoint = "sm_process_open")]
    internal static partial int ProcessOpen(int pid);

    [LibraryImport(Library, EntryPoint = "sm_process_signal")]
    internal static partial int ProcessSignal(int pid, int pidfd, int signal, SignalScope scope);

    [LibraryImport(Library, EntryPoint = "sm_process_reap")]
    internal static partial int ProcessReap(int pid, int pidfd, ref ExitInfo info);

    [LibraryImport(Library, EntryPoint = "sm_process_wait")]
    internal static partial int ProcessWait(int pid, int pidfd, int timeoutMilliseconds);

    [LibraryImport(Library, EntryPoint = "sm_process_start_time")]
    internal static partial long ProcessStartTime(int pid);

    [LibraryImport(Library, EntryPoint = "sm_process_remove_files", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void ProcessRemoveFiles(int pid, long startTime, string? folder);

    [LibraryImport(Library, EntryPoint = "sm_close")]
    internal static partial int Close(int descriptor);

    [LibraryImport(Library, EntryPoint = "sm_process_id")]
    internal static partial int ProcessId();

    /// <summary>Native id of the thread that traces this process; 0 where nobody does, or that is not known.</summary>
    [LibraryImport(Library, EntryPoint = "sm_process_tracer")]
    internal static partial int ProcessTracer();

    /// <summary>kill(2) of the C library, for the portable path on macOS and the like. Returns 0, or −1.</summary>
    [LibraryImport("libc", EntryPoint = "kill")]
    internal static partial int LibcKill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int LibcIoctl(nint descriptor, nuint request);

    /// <summary>
    /// Programs that this process starts do not get the descriptor: FIOCLEX of the C library, for the portable path on Linux and macOS. (fcntl has an argument
    /// more, which on macOS arm64 a function with a fixed signature would pass in the wrong place.) Does nothing on Windows.
    /// </summary>
    internal static void LibcCloseOnExec(nint descriptor)
    {
        if (!OperatingSystem.IsWindows())
            _ = LibcIoctl(descriptor, OperatingSystem.IsMacOS() ? 0x20006601u : 0x5451u);
    }
}
