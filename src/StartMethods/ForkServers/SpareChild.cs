using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkServers;

/// <summary>A child that was forked ahead: it has its channel, and the circumstances that most children get, and waits for what it is to do. If its channel closes, it ends.</summary>
/// <remarks>It is listened to from its birth on: at its start nothing has to be watched any more, and its Hello is here.</remarks>
internal sealed class SpareChild : ChildAhead
{
    private readonly Lock _gate = new();
    private readonly ChildStreams _streams;
    private readonly Queue<Frame> _said = new();
    private Action<Frame>? _received;
    private Action<Exception?>? _closed;
    private Exception? _error;
    private bool _isTold, _isClosed;

    /// <summary>One just born. The channel and the streams are its own from now on.</summary>
    internal SpareChild(ProcessLifetime process, FrameChannel channel, ChildStreams streams, SpareCircumstances given) : base(process, channel)
    {
        (_streams, Given) = (streams, given);
        streams.Relay!.Start(process.Id, null);
        _ = process.Exited; // to be noticed when it comes
        channel.Post(given.Content(streams));
        channel.Listen(Received, Closed);
    }

    /// <summary>What it was given ahead.</summary>
    internal SpareCircumstances Given { get; }

    /// <summary>Gives it what it is to do; it is no spare any more, and waits for <see cref="TryComplete"/>.</summary>
    /// <returns>False: it has died meanwhile, and nothing has changed.</returns>
    internal bool TryTell(ChildLaunch launch)
    {
        lock (_gate)
        {
            if (_isClosed)
                return false;
            _isTold = true;
        }
        return launch.TryTell(this);
    }

    /// <summary>Gives it what it is to be, upon which it begins.</summary>
    /// <param name="launch">The start, which has the channel and the streams then.</param>
    /// <param name="circumstances">Null: those that it was given are the right ones.</param>
    /// <returns>False: it has died meanwhile, without having begun, and nothing has changed.</returns>
    internal bool TryComplete(ChildLaunch launch, FrameContent? circumstances)
    {
        if (!Channel.TryPost([circumstances ?? Assignment.AsGiven]))
            return false;
        launch.Take(this, circumstances is null ? _streams : null);
        if (circumstances is not null)
            _streams.Dispose();
        return true;
    }

    /// <summary>Passes on what it says from now on, and has said: as <see cref="FrameChannel.Listen"/>.</summary>
    internal void Listen(Action<Frame> received, Action<Exception?> closed)
    {
        lock (_gate)
        {
            while (_said.TryDequeue(out Frame? frame))
                received(frame);
            (_received, _closed) = (received, closed);
            if (!_isClosed)
                return;
        }
        closed(_error);
    }

    // Under the gate, so that what it said first is passed on first. It may have done all that it was told before anybody listens.
    private void Received(Frame frame)
    {
        lock (_gate)
        {
            if (_received is not null)
                _received(frame);
            else
                _said.Enqueue(frame);
            _isClosed |= !_isTold && frame.Type != FrameType.Hello; // it could not become what it was to be
        }
    }

    private void Closed(Exception? error)
    {
        Action<Exception?>? closed;
        lock (_gate)
            (_isClosed, _error, closed) = (true, error, _closed);
        closed?.Invoke(error);
    }

    internal override void Close()
    {
        base.Close();
        _streams.Dispose();
        lock (_gate)
        {
            while (_said.TryDequeue(out Frame? frame))
                frame.Dispose();
        }
    }
}
