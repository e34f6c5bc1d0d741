using StartMethods.Interop;

namespace StartMethods.Channels;

// The side of the application: nothing here waits. A socket is driven by the reactor; the pipes of the portable path, which no reactor watches, have a
// thread that reads and, while something is to be sent, one that writes.
internal sealed partial class FrameChannel
{
    private readonly Queue<PendingFrame> _queue = new();
    private Action<Frame>? _received;
    private Action<Exception?>? _closed;
    private ReactorWatch? _readWatch;
    private ReactorWatch? _writeWatch;
    private FileDescriptor? _writeDuplicate;
    private bool _writing;
    private bool _broken;
    private Exception? _writeError;
    private bool _ended; // written under the lock, by the thread that reads only
    private bool _disposed;

    /// <summary>
    /// Calls <paramref name="received"/> for each frame and once, at the end, <paramref name="closed"/>: with null where the other side ended between two
    /// frames, else with what is wrong. Both run on the reactor's thread (or the reading thread), must be quick and must not throw.
    /// </summary>
    internal void Listen(Action<Frame> received, Action<Exception?> closed)
    {
        (_received, _closed) = (received, closed);
        if (_transport.IsSocket)
        {
            // Under the lock that its callback takes at the end: an end that was heard before the watch is known here would be told again and again, until this thread went on.
            lock (_sending)
            {
                if (!_disposed)
                    _readWatch = Reactor.Shared.Watch(_transport.Handle, ReadWhatIsThere);
            }
        }
        else
        {
            new Thread(ReadToTheEnd, maxStackSize: 256 * 1024) { Name = "StartMethods Channel", IsBackground = true }.UnsafeStart();
        }
    }

    /// <summary>
    /// Sends frames as soon as the other side takes them, in the order of the calls and as one message where that is possible, without ever waiting. Where nobody reads any more,
    /// they are dropped: the end is told to the one who listens.
    /// </summary>
    internal void Post(params ReadOnlySpan<FrameContent> contents)
    {
        PendingFrame[] frames = PendingFrame.Of(contents);
        lock (_sending)
        {
            if (_broken || _disposed)
            {
                foreach (PendingFrame frame in frames)
                    frame.Release();
                return;
            }
            foreach (PendingFrame frame in frames)
                _queue.Enqueue(frame);
            if (_writing)
                return;
            if (_transport.IsSocket)
                WriteWhatGoes();
            else
                StartWriter();
        }
    }

    /// <summary>
    /// Sends the frames, as one message where that is possible, and says whether anybody is there to read them. If not, they are still the caller's: nothing of
    /// them was released.
    /// </summary>
    internal bool TryPost(ReadOnlySpan<FrameContent> contents)
    {
        lock (_sending)
        {
            if (_broken || _disposed)
                return false;
            PendingFrame[] frames = PendingFrame.Of(contents);
            foreach (PendingFrame frame in frames)
                _queue.Enqueue(frame);
            if (_writing || WriteWhatGoes(isTrial: true))
                return true;
            if (_queue.Count == frames.Length)
            {
                _queue.Clear();
                return false;
            }
            DropQueue(); // some have left already: the end is told to the one who listens
            return true;
        }
    }

    // All that is there, or until nobody here needs more of it for now.
    private void ReadAll(Task? isEnough = null)
    {
        if (_ended)
            return;
        Exception? error = null;
        try
        {
            while (_reader.Read(wait: false) is { } frame)
            {
                _received!(frame);
                if (isEnough is { IsCompleted: true })
                    return;
            }
            if (!_reader.AtEnd)
                return;
        }
        catch (StartMethodException e)
        {
            error = e;
        }
        catch (ObjectDisposedException)
        {
            return; // closed by this side meanwhile: nobody wants to know
        }
        ReactorWatch? watch;
        lock (_sending)
        {
            _ended = true;
            watch = _readWatch;
        }
        watch?.Dispose();
        _closed!(error ?? Volatile.Read(ref _writeError));
    }

    private void ReadToTheEnd()
    {
        Exception? error = null;
        try
        {
            while (_reader.Read(wait: true) is { } frame)
                _received!(frame);
        }
        catch (StartMethodException e)
        {
            error = e;
        }
        _closed!(error);
    }

    // Called under the lock. False: nobody reads any more.
    private bool WriteWhatGoes(bool isTrial = false)
    {
        try
        {
            while (_queue.TryPeek(out PendingFrame? frame))
            {
                if (!frame.Advance(_transport, wait: false))
                {
                    WaitForRoom();
                    return true;
                }
                _queue.Dequeue();
                frame.Release();
            }
            _writing = false;
            return true;
        }
        catch (Exception e) when (e is StartMethodException or ObjectDisposedException)
        {
            // The reading side sees the same end, with everything that the other side still said before it. Where it is this side that cannot go on, the other waits for the rest: it has to see an end too.
            if (e is not (PeerGoneException or ObjectDisposedException))
            {
                _writeError = e;
                _transport.Shutdown();
            }
            _broken = true;
            _writing = false;
            if (!isTrial)
                DropQueue();
            return false;
        }
    }

    private void WaitForRoom()
    {
        _writing = true;
        if (_writeWatch is not null)
        {
            _writeWatch.Rearm();
            return;
        }
        // The reactor watches a descriptor once, and the socket itself is watched for reading.
        _writeDuplicate = new FileDescriptor(NativeError.ThrowIfFailed(Native.ChannelDuplicate((int)_transport.Handle.DangerousGetHandle()), "waiting for room in a channel: fcntl(F_DUPFD_CLOEXEC)"));
        _writeWatch = Reactor.Shared.Watch(_writeDuplicate, ContinueWriting, ReactorInterest.Write | ReactorInterest.Once);
    }

    private void ContinueWriting()
    {
        lock (_sending)
        {
            if (!_disposed && !_broken)
                WriteWhatGoes();
        }
    }

    private void StartWriter()
    {
        _writing = true;
        new Thread(WriteQueue, maxStackSize: 256 * 1024) { Name = "StartMethods Channel Writer", IsBackground = true }.UnsafeStart();
    }

    private void WriteQueue()
    {
        while (true)
        {
            PendingFrame? frame;
            lock (_sending)
            {
                if (!_queue.TryDequeue(out frame))
                {
                    _writing = false;
                    return;
                }
            }
            try
            {
                frame.Advance(_transport, wait: true);
            }
            catch (StartMethodException)
            {
                lock (_sending)
                {
                    _broken = true; // the reading side sees the same end
                    DropQueue();
                }
            }
            frame.Release();
        }
    }

    private void DropQueue()
    {
        while (_queue.TryDequeue(out PendingFrame? frame))
            frame.Release();
    }

    private void StopWatching()
    {
        _readWatch?.Dispose();
        _writeWatch?.Dispose();
        _writeDuplicate?.Dispose();
    }
}
