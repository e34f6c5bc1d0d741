using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

// What is heard of the server, on the reactor's thread: its messages, the end of its socket, the end of its process.
internal sealed partial class ServerConnection
{
    private void Listen()
    {
        try
        {
            while (true)
            {
                ReceivedDescriptors received = default;
                int size = _socket.Receive(_incoming, ref received, wait: false);
                if (size == MessageSocket.WouldBlock)
                    return;
                if (size == 0)
                {
                    Hush();
                    return;
                }
                FileDescriptor? descriptor = received.First >= 0 ? new FileDescriptor(received.First) : null;
                if (!_isDeaf)
                    Hear(_incoming.AsSpan(0, size), received.Count, ref descriptor);
                descriptor?.Dispose();
            }
        }
        catch (ObjectDisposedException)
        {
            return; // closed by this side meanwhile
        }
        catch (StartMethodException)
        {
            Hush(); // what cannot be received from will not end either
            Kill();
        }
    }

    private void Hear(ReadOnlySpan<byte> message, int descriptors, ref FileDescriptor? descriptor)
    {
        try
        {
            Heard(message, descriptors, ref descriptor);
        }
        catch (StartMethodException)
        {
            // What it says cannot be relied on, so neither can it. Whom it has forked is known when it has ended.
            _isDeaf = true;
            Kill();
        }
    }

    private void Heard(ReadOnlySpan<byte> message, int descriptors, ref FileDescriptor? descriptor)
    {
        switch (ServerMessages.Check(message, descriptors))
        {
            case ServerMessageKind.Ready:
                DropWhatIsSent();
                _ready.TrySetResult(ServerMessages.ReadReady(message));
                return;
            case ServerMessageKind.Forked:
                ForkedMessage forked = ServerMessages.ReadForked(message);
                FileDescriptor? pidfd = descriptor;
                descriptor = null;
                HasServed = true;
                if (Take(forked.Id) is { } born)
                    born.Born(forked.ProcessId, pidfd);
                else
                    pidfd?.Dispose();
                return;
            case ServerMessageKind.Refused:
                RefusedMessage refused = ServerMessages.ReadRefused(message);
                Take(refused.Id)?.Refused(refused.ErrorNumber, refused.Reason);
                return;
            default:
                throw new ProtocolException("only the application sends this");
        }
    }

    private PendingFork? Take(uint id)
    {
        PendingFork? pending;
        bool last;
        lock (_gate)
        {
            _pending.Remove(id, out pending);
            last = _closing && _pending.Count == 0;
        }
        if (last)
            Hush();
        return pending;
    }

    private void Ended()
    {
        lock (_gate)
        {
            if (_ended)
                return;
            _how = Death();
            Volatile.Write(ref _ended, true);
        }
        DropWhatIsSent();
        FailReady();
        _socket.End(); // what it has said is still heard, then the end of it; without this that of the last child that has not closed its copy yet
        _onDeath(this);
        FinishIfOver();
    }

    private void FailReady()
    {
        ChildAnswer answer = _session.Answer.Result;
        if (_ready.Task.IsCompleted)
        {
            answer.Dispose();
            return;
        }
        try
        {
            answer.Read(typeof(object), null);
            _ready.TrySetException(TooEarly(null));
        }
        catch (ChildCrashedException e) when (!answer.IsFailure)
        {
            _ready.TrySetException(TooEarly(e));
        }
        catch (Exception e)
        {
            PreloadFailed = answer.IsFailure;
            _ready.TrySetException(e);
        }
        _ = _ready.Task.Exception; // seen: nobody may be waiting
    }

    // That it is a child like any other is nobody's business but ours: what a user hears of is the fork server.
    private StartMethodException TooEarly(ChildCrashedException? crash)
    {
        WasKilledEarly = _session.Process.ExitStatus?.SignalNumber is SignalNumber.Kill or SignalNumber.Terminate;
        string told = crash is { StandardError.Length: > 0 } ? $"\nThe last lines of its standard error:\n{crash.StandardError}" : "";
        return new StartMethodException($"{Name} died before it was ready: {_session.Process.ExitStatus}{told}", crash);
    }

    // Nothing more will be heard: everybody who held the other end is gone, or what he says does not count.
    private void Hush()
    {
        KeyValuePair<uint, PendingFork>[] lost;
        ReactorWatch? watch;
        lock (_gate)
        {
            if (_silent)
                return;
            _silent = true;
            lost = [.. _pending];
            _pending.Clear();
            (watch, _watch) = (_watch, null);
        }
        // Not under the gate: disposing waits for callbacks, which take it.
        watch?.Dispose();
        _socket.Dispose();
        string how = Death();
        foreach ((uint id, PendingFork pending) in lost)
            pending.Lost(_births.ChildOf(id), how);
        _births.Dispose();
        FinishIfOver();
    }

    // The end of the socket may be seen before that of the process.
    private string Death() => _how.Length > 0 ? _how : _session.Process.ExitStatus is { } status ? $"{Name} died: {status}" : $"{Name} died";

    private void FinishIfOver()
    {
        lock (_gate)
        {
            if (!_ended || !_silent)
                return;
        }
        _gone.TrySetResult();
    }
}
