using System.Diagnostics.CodeAnalysis;
using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>
/// One end of a conversation in frames. It is used in one of two ways: blocking (<see cref="Send"/>, <see cref="Receive"/>: a child, which has
/// nothing else to do) or driven by events (<see cref="Post"/>, <see cref="Listen"/>: an application, which has).
/// </summary>
internal sealed partial class FrameChannel : IDisposable
{
    private readonly Transport _transport;
    private readonly FrameReader _reader;
    private readonly Lock _sending = new();

    internal FrameChannel(Transport transport, FrameLimits? limits = null)
    {
        _transport = transport;
        _reader = new FrameReader(transport, limits ?? FrameLimits.Default);
    }

    /// <summary>Two connected ends: one for this process, one to be given to a child.</summary>
    internal static (FrameChannel Local, ChannelEnd Remote) CreatePair(FrameLimits? limits = null)
    {
        (Transport local, ChannelEnd remote) = ChannelEnd.CreatePair();
        return (new FrameChannel(local, limits), remote);
    }

    /// <summary>What is accepted from now on; before the first frame is read.</summary>
    internal void Limit(FrameLimits limits) => _reader.Limits = limits;

    /// <summary>Whether descriptors can travel over it.</summary>
    internal bool CarriesDescriptors => _transport.IsSocket;

    /// <summary>Sends a frame, waiting until all of it has left. Callable from several threads: frames never mix.</summary>
    /// <exception cref="PeerGoneException">Nobody will ever read it.</exception>
    internal void Send(in FrameContent content)
    {
        try
        {
            PendingFrame frame = new(content);
            lock (_sending)
                frame.Advance(_transport, wait: true);
        }
        finally
        {
            content.Sent?.Invoke();
        }
    }

    /// <summary>Waits for the next frame.</summary>
    /// <returns>False where the other side has ended between two frames.</returns>
    /// <exception cref="ProtocolException">It sent something else, or ended within a frame.</exception>
    internal bool Receive([NotNullWhen(true)] out Frame? frame)
    {
        frame = _reader.Read(wait: true);
        return frame is not null;
    }

    public void Dispose()
    {
        lock (_sending)
        {
            if (_disposed)
                return;
            _disposed = true;
            DropQueue();
        }
        // Not under the lock: disposing a watch waits for its callback, which takes it.
        StopWatching();
        lock (_reading)
        {
            _transport.Dispose();
            _reader.Dispose();
        }
    }
}
