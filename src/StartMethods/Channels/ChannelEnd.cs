using System.IO.Pipes;
using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>The end of a channel that is given to a child: not used here, only handed on, and closed here once the child has it.</summary>
internal sealed class ChannelEnd : IDisposable
{
    private readonly AnonymousPipeServerStream? _toChild, _fromChild;

    private ChannelEnd(FileDescriptor socket) => Socket = socket;

    private ChannelEnd(AnonymousPipeServerStream toChild, AnonymousPipeServerStream fromChild) => (_toChild, _fromChild) = (toChild, fromChild);

    /// <summary>The socket; null on the portable path.</summary>
    internal FileDescriptor? Socket { get; }

    internal static (Transport Local, ChannelEnd Remote) CreatePair()
    {
        if (Native.IsPortable)
            return CreatePipes();
        (FileDescriptor local, FileDescriptor remote) = SocketPair();
        return (new SocketTransport(local), new ChannelEnd(remote));
    }

    /// <summary>How the child finds it, where it is a pair of pipes (they are inherited under their own numbers): "read,write".</summary>
    internal string PipeHandles => $"{_toChild!.GetClientHandleAsString()},{_fromChild!.GetClientHandleAsString()}";

    /// <summary>The transport, for a child that is a copy of this process, and uses the end itself. It takes the handles over.</summary>
    internal Transport Open() => Socket is { } socket
        ? new SocketTransport(socket)
        : new StreamTransport(new AnonymousPipeClientStream(PipeDirection.In, _toChild!.ClientSafePipeHandle), new AnonymousPipeClientStream(PipeDirection.Out, _fromChild!.ClientSafePipeHandle));

    /// <summary>The transport of a child that was told a socket's number.</summary>
    internal static Transport OpenSocket(int number)
    {
        int result = Native.ChannelIsSocket(number);
        if (result != 1)
            throw new StartMethodException($"descriptor {number}, which should be the channel to the parent, is {(result < 0 ? "not open" : "no socket")}");
        NativeError.ThrowIfFailed(Native.SetCloseOnExec(number, 1), "fcntl(F_SETFD)");
        return new SocketTransport(new FileDescriptor(number));
    }

    /// <summary>The transport of a child that was told the handles of two pipes.</summary>
    internal static Transport OpenPipes(string readHandle, string writeHandle) => new StreamTransport(OpenPipe(PipeDirection.In, readHandle), OpenPipe(PipeDirection.Out, writeHandle));

    // A program that the child starts must not hold them: the parent would not see the child's end before that of the program.
    private static AnonymousPipeClientStream OpenPipe(PipeDirection direction, string handle)
    {
        AnonymousPipeClientStream pipe = new(direction, handle);
        Native.LibcCloseOnExec(pipe.SafePipeHandle.DangerousGetHandle());
        return pipe;
    }

    // Unsafe: two numbers come back through an array on the stack.
    private static unsafe (FileDescriptor, FileDescriptor) SocketPair()
    {
        int* ends = stackalloc int[2];
        NativeError.ThrowIfFailed(Native.ChannelPair(ends), "socketpair");
        return (new FileDescriptor(ends[0]), new FileDescriptor(ends[1]));
    }

    private static (Transport, ChannelEnd) CreatePipes()
    {
        AnonymousPipeServerStream toChild = new(PipeDirection.Out, HandleInheritability.Inheritable);
        AnonymousPipeServerStream fromChild = new(PipeDirection.In, HandleInheritability.Inheritable);
        return (new StreamTransport(fromChild, toChild), new ChannelEnd(toChild, fromChild));
    }

    public void Dispose()
    {
        Socket?.Dispose();
        _toChild?.DisposeLocalCopyOfClientHandle();
        _fromChild?.DisposeLocalCopyOfClientHandle();
    }
}
