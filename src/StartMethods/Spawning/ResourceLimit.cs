namespace StartMethods;

/// <summary>A resource that a process can be limited in: the RLIMIT_ constants of <c>getrlimit(2)</c> on Linux.</summary>
public enum ResourceLimit
{
    /// <summary>Processor time in seconds; SIGXCPU, then SIGKILL. RLIMIT_CPU.</summary>
    ProcessorSeconds = 0,

    /// <summary>The size in bytes of a file it may write; SIGXFSZ. RLIMIT_FSIZE.</summary>
    FileSize = 1,

    /// <summary>Data segment and private mappings in bytes. RLIMIT_DATA.</summary>
    Data = 2,

    /// <summary>The main thread's stack in bytes. RLIMIT_STACK.</summary>
    Stack = 3,

    /// <summary>The size of a core dump in bytes; 0 switches them off. RLIMIT_CORE.</summary>
    CoreSize = 4,

    /// <summary>Processes and threads of the user. RLIMIT_NPROC.</summary>
    Processes = 6,

    /// <summary>One more than the highest descriptor number. RLIMIT_NOFILE, <c>ulimit -n</c>.</summary>
    OpenFiles = 7,

    /// <summary>Bytes that may be locked in memory. RLIMIT_MEMLOCK.</summary>
    LockedMemory = 8,

    /// <summary>Address space in bytes. RLIMIT_AS. The .NET runtime itself reserves hundreds of gigabytes.</summary>
    AddressSpace = 9,

    /// <summary>Bytes of POSIX message queues. RLIMIT_MSGQUEUE.</summary>
    MessageQueues = 12,

    /// <summary>20 minus the lowest nice value that it may ask for. RLIMIT_NICE.</summary>
    Nice = 13,

    /// <summary>The highest real-time priority. RLIMIT_RTPRIO.</summary>
    RealTimePriority = 14,
}
