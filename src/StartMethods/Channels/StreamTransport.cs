using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>Two anonymous pipes: the portable path. It carries no descriptors, and always waits.</summary>
internal sealed class StreamTransport(Stream input, Stream output) : Transport
{
    internal override bool IsSocket => false;

    internal override SafeHandle Handle => throw new NotSupportedException("pipes of the portable path are not watched");

    internal override int Send(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<int> descriptors, bool wait)
    {
        if (!descriptors.IsEmpty)
            throw new StartMethodNotSupportedException("handles (sockets, files, pipes) cannot be carried to another process without the native library: " + Native.UnavailableReason);
        try
        {
            output.Write(first);
            output.Write(second);
            return first.Length + second.Length;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw new PeerGoneException();
        }
    }

    internal override int Receive(Span<byte> buffer, List<FileDescriptor>? descriptors, bool wait)
    {
        try
        {
            return input.Read(buffer);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            return 0;
        }
    }

    public override void Dispose()
    {
        output.Dispose();
        input.Dispose();
    }
}
