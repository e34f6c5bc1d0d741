using StartMethods.Channels;

namespace StartMethods.Spawning;

/// <summary>Reads one pipe of a program to its end, keeping no more than a limit.</summary>
internal sealed class OutputCapture(int limit)
{
    private const int FirstSize = 4096, DrainAtMost = 1024 * 1024;

    private byte[] _buffer = [];
    private int _length;

    internal ReadOnlyMemory<byte> Bytes => _buffer.AsMemory(0, _length);

    /// <summary>More came than the limit.</summary>
    internal bool IsTruncated { get; private set; }

    /// <summary>The end of the pipe was not seen.</summary>
    internal bool IsIncomplete { get; private set; }

    /// <summary>Reads to the end of the stream, or until cancelled; then what is in the pipe already is still taken. Never fails because of cancellation.</summary>
    internal async Task ReadAsync(Stream? stream, CancellationToken cancellationToken)
    {
        if (stream is null)
            return;
        byte[]? excess = null;
        try
        {
            while (true)
            {
                int count = await stream.ReadAsync(Room(ref excess), cancellationToken).ConfigureAwait(false);
                if (count == 0)
                    return;
                Keep(count);
            }
        }
        catch (OperationCanceledException)
        {
            IsIncomplete = !(stream is DescriptorStream pipe && Drain(pipe, ref excess));
        }
    }

    // What the program wrote before it ended is in the pipe: it is not lost however late this thread was. Whether the end was reached.
    private bool Drain(DescriptorStream pipe, ref byte[]? excess)
    {
        for (int drained = 0; drained < DrainAtMost;)
        {
            int count = pipe.TryRead(Room(ref excess).Span);
            if (count <= 0)
                return count == 0;
            Keep(count);
            drained += count;
        }
        return false;
    }

    private Memory<byte> Room(ref byte[]? excess)
    {
        if (_length == limit)
            return excess ??= new byte[64 * 1024];
        if (_length == _buffer.Length)
            Array.Resize(ref _buffer, (int)Math.Min(limit, Math.Max(FirstSize, _buffer.Length * 2L)));
        return _buffer.AsMemory(_length);
    }

    private void Keep(int count)
    {
        if (_length == limit)
            IsTruncated = true;
        else
            _length += count;
    }
}
