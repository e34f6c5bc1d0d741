using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>Moves bytes, and descriptors where it can: the one thing that differs between a socketpair and two pipes.</summary>
internal abstract class Transport : IDisposable
{
    /// <summary>Returned instead of a number of bytes: nothing can be moved now without waiting.</summary>
    internal const int WouldBlock = -1;

    /// <summary>Whether descriptors can travel, and whether it can be watched by the reactor.</summary>
    internal abstract bool IsSocket { get; }

    /// <summary>What the reactor watches; only of a socket.</summary>
    internal abstract SafeHandle Handle { get; }

    /// <summary>Sends some of the bytes of the two parts; the descriptors go with the first byte.</summary>
    /// <returns>How many, or <see cref="WouldBlock"/>.</returns>
    /// <exception cref="PeerGoneException">Nobody will ever read it.</exception>
    internal abstract int Send(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<int> descriptors, bool wait);

    /// <summary>Receives into the buffer, and the descriptors that come with the bytes into <paramref name="descriptors"/> (null: none may come).</summary>
    /// <returns>How many bytes, 0 at the end of the stream, or <see cref="WouldBlock"/>.</returns>
    /// <exception cref="ProtocolException">Descriptors came where none may, or more than one message carries; they are closed.</exception>
    internal abstract int Receive(Span<byte> buffer, List<FileDescriptor>? descriptors, bool wait);

    /// <summary>Waits, for a short time and at the cost of a processor, until there is something to receive. Only of a socket.</summary>
    /// <returns>False: the time is over.</returns>
    internal virtual bool Await(int microseconds) => throw new NotSupportedException();

    /// <summary>Ends the conversation for both sides, where this one cannot go on with it. Only of a socket.</summary>
    internal virtual void Shutdown() => throw new NotSupportedException();

    public abstract void Dispose();
}

/// <summary>The other side has closed its end, or has died.</summary>
internal sealed class PeerGoneException() : StartMethodException("the other side of the channel is gone");
