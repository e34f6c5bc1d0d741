using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>Turns the −errno of a native function into an exception that names the operation and the error.</summary>
internal static class NativeError
{
    /// <summary>Returns <paramref name="result"/> if it is no error.</summary>
    /// <exception cref="StartMethodException">The function failed; the message holds <paramref name="operation"/> and the errno's name.</exception>
    internal static int ThrowIfFailed(int result, string operation)
    {
        if (result < 0)
            Throw(-result, operation);
        return result;
    }

    [DoesNotReturn]
    private static void Throw(int errno, string operation) =>
        throw new StartMethodException($"{operation}: {Describe(errno)}") { ErrorNumber = errno };

    /// <summary>"ENOENT (No such file or directory)".</summary>
    internal static string Describe(int errno)
    {
        try
        {
            return $"{Name(errno)} ({Message(errno)})";
        }
        catch (FileNotFoundException)
        {
            return Name(errno); // no descriptor was left with which to load the assembly that has the words
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static string Message(int errno) => Marshal.GetPInvokeErrorMessage(errno);

    /// <summary>The symbolic name of an errno of Linux, or "errno N".</summary>
    internal static string Name(int errno) => errno switch
    {
        1 => "EPERM", 2 => "ENOENT", 3 => "ESRCH", 4 => "EINTR", 5 => "EIO", 6 => "ENXIO", 7 => "E2BIG", 8 => "ENOEXEC", 9 => "EBADF",
        10 => "ECHILD", 11 => "EAGAIN", 12 => "ENOMEM", 13 => "EACCES", 14 => "EFAULT", 16 => "EBUSY", 17 => "EEXIST", 19 => "ENODEV",
        20 => "ENOTDIR", 21 => "EISDIR", 22 => "EINVAL", 23 => "ENFILE", 24 => "EMFILE", 25 => "ENOTTY", 26 => "ETXTBSY", 27 => "EFBIG",
        28 => "ENOSPC", 29 => "ESPIPE", 30 => "EROFS", 31 => "EMLINK", 32 => "EPIPE", 36 => "ENAMETOOLONG", 38 => "ENOSYS", 40 => "ELOOP",
        71 => "EPROTO", 88 => "ENOTSOCK", 90 => "EMSGSIZE", 95 => "EOPNOTSUPP", 103 => "ECONNABORTED", 104 => "ECONNRESET", 105 => "ENOBUFS",
        109 => "ETOOMANYREFS", 110 => "ETIMEDOUT", 111 => "ECONNREFUSED", 125 => "ECANCELED",
        _ => $"errno {errno}",
    };
}
