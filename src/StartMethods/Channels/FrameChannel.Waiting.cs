using StartMethods.Threads;

namespace StartMethods.Channels;

// A thread that waits for what the other side is about to say reads it itself: no reactor is woken that would wake it in turn.
internal sealed partial class FrameChannel
{
    // Held by whoever reads: the reactor's thread, or one that waits.
    private readonly Lock _reading = new();

    /// <summary>
    /// Reads on the calling thread, in place of the reactor, until <paramref name="isEnough"/> has completed, but for a short time only, which is spent on the processor.
    /// Frames go where those go that the reactor reads. Not to be called under a lock that is taken there.
    /// </summary>
    internal void ReadHere(Task isEnough, int microseconds)
    {
        ForkPause pause = ForkPause.Current;
        pause.BeginWork(); // the copy of this thread in a forked child must not take what is said to this process
        try
        {
            if (_reading.TryEnter())
                ReadAlone(isEnough, microseconds); // else somebody reads already
        }
        finally
        {
            pause.EndWork();
        }
    }

    private void ReadAlone(Task isEnough, int microseconds)
    {
        try
        {
            if (Watched() is not { } watch)
                return;
            watch.Pause();
            while (!isEnough.IsCompleted && !_ended && _transport.Await(microseconds))
                ReadAll(isEnough);
            if (!_ended)
                watch.Rearm();
        }
        catch (ObjectDisposedException)
        {
            // closed by this side meanwhile
        }
        finally
        {
            _reading.Exit();
        }
    }

    /// <summary>Waits for a short time, which is spent on the processor, until there is something to <see cref="Receive"/>. Only of a socket.</summary>
    internal void Await(int microseconds) => _transport.Await(microseconds);

    private ReactorWatch? Watched()
    {
        lock (_sending)
            return _disposed || _ended ? null : _readWatch;
    }

    // The reactor's callback. Who reads beside it has taken the socket from it, or is about to.
    private void ReadWhatIsThere()
    {
        if (!_reading.TryEnter())
            return;
        try
        {
            ReadAll();
        }
        finally
        {
            _reading.Exit();
        }
    }
}
