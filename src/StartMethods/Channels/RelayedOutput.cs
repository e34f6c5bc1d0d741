using System.Text;
using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>
/// Passes what a child writes into a pipe on to a descriptor of this process, and keeps the end of it. The child waits where nobody takes it, as it would if
/// it wrote there itself; the reactor never does.
/// </summary>
internal sealed class RelayedOutput : IDisposable
{
    private const int TailBytes = 8 * 1024, TailLines = 40, Chunk = 4096, TurnChunks = 16;
    private const int WouldBlock = -11, SinkBusy = -16;
    private static readonly TimeSpan SinkPause = TimeSpan.FromMilliseconds(5);

    private readonly FileDescriptor? _pipe;
    private readonly int _sink;
    private readonly IOutputTaker? _taker;
    private readonly Lock _gate = new();
    private byte[] _tail = []; // most children say nothing there
    private long _total;
    private ReactorWatch? _watch;
    private Deadline? _pause;
    private bool _ended, _hasBegun;

    /// <summary>For a pipe that the reactor watches; it is owned from now on.</summary>
    /// <param name="pipe">The read end.</param>
    /// <param name="sink">A descriptor of this process that stays open, or −1 for none.</param>
    /// <param name="taker">Gets everything too, if there is one.</param>
    internal RelayedOutput(FileDescriptor pipe, int sink, IOutputTaker? taker = null) => (_pipe, _sink, _taker) = (pipe, sink, taker);

    /// <summary>For a stream that only the start of the process brings: the portable path. It goes to the taker or, without one, to standard error.</summary>
    internal RelayedOutput(IOutputTaker? taker) => _taker = taker;

    /// <summary>Whether every writer has closed its end, and all was passed on.</summary>
    internal bool HasEnded
    {
        get { lock (_gate) return _ended; }
    }

    /// <summary>Begins, if it has not begun; with the stream of the portable path, which a thread of its own reads.</summary>
    internal void Start(int processId, Stream? portable)
    {
        if (_hasBegun)
            return;
        _hasBegun = true;
        _taker?.Begin(processId);
        if (_pipe is null)
        {
            if (portable is not null)
                new Thread(() => RelayToTheEnd(portable), maxStackSize: 256 * 1024) { Name = "StartMethods Standard Error", IsBackground = true }.UnsafeStart();
            return;
        }
        lock (_gate) // the first callback may come before the watch is known here
            _watch = Reactor.Shared.Watch(_pipe, Relay, ReactorInterest.Read | ReactorInterest.Once);
    }

    /// <summary>Takes what is in the pipe now, for the report on a child that has just died. Never waits.</summary>
    internal void Drain()
    {
        lock (_gate)
        {
            // At most what a pipe holds: a grandchild that writes without end must not keep us here.
            for (int i = 0; i < 1024 * 1024 / Chunk && !_ended && _pipe is not null && MoveOnce() > 0; i++)
            {
            }
            if (!_ended && _pipe is not null)
                _taker?.Flush();
        }
    }

    /// <summary>The last lines.</summary>
    internal string Tail()
    {
        lock (_gate)
        {
            int length = (int)Math.Min(_total, TailBytes);
            byte[] bytes = new byte[length];
            for (int i = 0; i < length; i++)
                bytes[i] = _tail[(_total - length + i) % TailBytes];
            string[] lines = Encoding.UTF8.GetString(bytes).TrimEnd().Split('\n');
            // The first line is torn where older bytes were overwritten.
            int skip = Math.Max(_total > TailBytes && lines.Length > 1 ? 1 : 0, lines.Length - TailLines);
            return string.Join('\n', lines[skip..]);
        }
    }

    private void Relay()
    {
        lock (_gate)
        {
            int moved = _ended ? 0 : MoveSome();
            if (_ended)
            {
                // disposed below, outside of the lock
            }
            else if (moved == SinkBusy)
            {
                _pause?.Dispose();
                _pause = Deadline.After(SinkPause, Relay);
            }
            else
            {
                _watch?.Rearm();
            }
        }
        if (HasEnded)
            Dispose();
    }

    // Where it goes no further than to a taker, a turn of the reactor moves a pipe's content, not a page: the worker waits meanwhile.
    private int MoveSome()
    {
        int moved = 0;
        for (int i = 0; i < (_taker is null ? 1 : TurnChunks); i++)
        {
            moved = _taker is { HasRoom: false } ? SinkBusy : MoveOnce();
            if (moved <= 0)
                break;
        }
        return moved;
    }

    // Unsafe: the buffer is on the stack.
    private unsafe int MoveOnce()
    {
        byte* buffer = stackalloc byte[Chunk];
        int count = Native.Relay(_pipe!.Number, _sink, buffer, Chunk);
        if (count > 0)
            Took(new ReadOnlySpan<byte>(buffer, count));
        else if (count is not (WouldBlock or SinkBusy))
            End();
        return count;
    }

    private void Took(ReadOnlySpan<byte> bytes)
    {
        Remember(bytes);
        _taker?.Take(bytes);
    }

    private void End()
    {
        _ended = true;
        _taker?.End();
    }

    private void Remember(ReadOnlySpan<byte> bytes)
    {
        if (_tail.Length == 0)
            _tail = new byte[TailBytes];
        foreach (byte b in bytes)
            _tail[_total++ % TailBytes] = b;
    }

    private void RelayToTheEnd(Stream source)
    {
        using Stream sink = _taker is null ? Console.OpenStandardError() : Stream.Null;
        byte[] buffer = new byte[Chunk];
        try
        {
            for (int count = source.Read(buffer); count > 0; count = source.Read(buffer))
            {
                sink.Write(buffer, 0, count);
                lock (_gate)
                    Took(buffer.AsSpan(0, count));
                _taker?.WaitForRoom();
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // one of the two sides is gone: the end, as where it is closed
        }
        source.Dispose();
        lock (_gate)
            End();
    }

    public void Dispose()
    {
        lock (_gate)
            End();
        _watch?.Dispose();
        _pause?.Dispose();
        _pipe?.Dispose();
    }
}
