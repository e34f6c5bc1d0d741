using System.Text;
using StartMethods.Channels;

namespace StartMethods.Pools;

/// <summary>
/// Makes lines of what one worker writes to one stream. Called by the thread that reads it, which is the reactor or, on the portable path, a thread of the stream's own;
/// and by the reactor once the worker has ended. The gate is for these two.
/// </summary>
internal sealed class LineTaker(PoolOutput output, string worker, WorkerStream stream) : IOutputTaker
{
    /// <summary>What is longer is handed on in pieces: a worker that never ends its line must not take the application's memory.</summary>
    internal const int MaxLine = 16 * 1024;

    private readonly Lock _gate = new();
    private byte[] _piece = [];
    private int _length, _processId;
    private bool _begun, _ended;

    public bool HasRoom => output.HasRoom;

    public void WaitForRoom() => output.WaitForRoom();

    public void Begin(int processId)
    {
        _processId = processId;
        _begun = true;
        output.Opened();
    }

    public void Take(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            for (int end = bytes.IndexOf((byte)'\n'); end >= 0; end = bytes.IndexOf((byte)'\n'))
            {
                Append(bytes[..end]);
                Emit(_length, isComplete: true);
                bytes = bytes[(end + 1)..];
            }
            Append(bytes);
        }
    }

    public void Flush()
    {
        lock (_gate)
        {
            if (_length > 0)
                Emit(_length, isComplete: false);
        }
    }

    public void End()
    {
        Flush();
        if (!Interlocked.Exchange(ref _ended, true) && _begun)
            output.Closed();
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        while (_length + bytes.Length > MaxLine)
        {
            int taken = MaxLine - _length;
            Store(bytes[..taken]);
            bytes = bytes[taken..];
            Emit(WholeCharacters(_piece.AsSpan(0, _length)), isComplete: false);
        }
        Store(bytes);
    }

    private void Store(ReadOnlySpan<byte> bytes)
    {
        if (_length + bytes.Length > _piece.Length)
            Array.Resize(ref _piece, Math.Clamp(2 * (_length + bytes.Length), 256, MaxLine));
        bytes.CopyTo(_piece.AsSpan(_length));
        _length += bytes.Length;
    }

    // A piece ends between two characters, where what is there is UTF-8.
    private static int WholeCharacters(ReadOnlySpan<byte> bytes)
    {
        for (int back = 1; back <= 3; back++)
        {
            byte b = bytes[^back];
            if ((b & 0xC0) == 0x80)
                continue;
            int needed = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : b >= 0xC0 ? 2 : 1;
            return needed > back ? bytes.Length - back : bytes.Length;
        }
        return bytes.Length;
    }

    private void Emit(int length, bool isComplete)
    {
        ReadOnlySpan<byte> bytes = _piece.AsSpan(0, length);
        if (isComplete && bytes is [.., (byte)'\r'])
            bytes = bytes[..^1];
        string text = Encoding.UTF8.GetString(bytes);
        output.Add(new WorkerLine { Worker = worker, ProcessId = _processId, Stream = stream, Text = text, IsComplete = isComplete }, text.Length);
        _piece.AsSpan(length, _length - length).CopyTo(_piece);
        _length -= length;
    }
}
