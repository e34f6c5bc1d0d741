using StartMethods.Interop;

namespace StartMethods.Threads;

/// <summary>What a parked thread was doing, in words.</summary>
internal static class ThreadActivity
{
    internal static string Describe(in NativeThreadInfo thread)
    {
        if (thread.Mode == Cooperative)
            return "running managed code";
        if (thread.Syscall < 0)
            return thread.Parked != 0 ? "blocked in the kernel" : "running native code";
        string call = Name(thread.Syscall);
        string detail = TakesDescriptor(thread.Syscall) && thread.Detail >= 0 ? $"{call}({thread.Detail})" : call;
        if (thread.Parked == 0)
            return $"in {detail}";
        return thread.Syscall == Futex ? "waiting for another thread (futex)" : $"blocked in {detail}";
    }

    internal static bool IsWaitingForThread(in NativeThreadInfo thread) => thread.Parked != 0 && thread.Syscall == Futex && thread.Mode != Cooperative;

    private const int Cooperative = 1, Futex = 202;

    private static bool TakesDescriptor(int number) => number is 0 or 1 or 19 or 43 or 44 or 45 or 46 or 47 or 42 or 73 or 72 or 232 or 281 or 288;

    // The calls in which threads spend their time, by the numbers of x86-64: the only architecture that the fork engine knows.
    private static string Name(int number) => number switch
    {
        0 => "read", 1 => "write", 7 => "poll", 9 => "mmap", 11 => "munmap", 19 => "readv", 23 => "select", 28 => "madvise", 34 => "pause", 35 => "nanosleep",
        42 => "connect", 43 => "accept", 44 => "sendto", 45 => "recvfrom", 46 => "sendmsg", 47 => "recvmsg", 61 => "wait4", 72 => "fcntl", 73 => "flock",
        Futex => "futex", 128 => "rt_sigtimedwait", 130 => "rt_sigsuspend", 230 => "clock_nanosleep", 232 => "epoll_wait", 247 => "waitid", 257 => "openat",
        270 => "pselect6", 271 => "ppoll", 281 => "epoll_pwait", 288 => "accept4", 324 => "membarrier",
        _ => $"system call {number}",
    };
}
