using System.Buffers.Binary;
using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>Puts frames together from the pieces in which they arrive. Reads no further than the frame at hand.</summary>
internal sealed class FrameReader(Transport transport, FrameLimits limits) : IDisposable
{
    private enum Part { Header, Body, Large }

    internal FrameLimits Limits { get; set; } = limits;

    private readonly byte[] _headerBytes = new byte[FrameHeader.Size];
    private readonly List<FileDescriptor> _descriptors = [];
    private Part _part;
    private int _headerFilled;
    private FrameHeader _header;
    private GrowingBuffer _body;
    private GrowingBuffer _current;
    private byte[][] _large = [];
    private int _largeDone;

    /// <summary>Whether the stream has ended where a frame might begin.</summary>
    internal bool AtEnd { get; private set; }

    /// <summary>The next frame; null where the stream has ended, or, without waiting, where nothing more has arrived.</summary>
    /// <exception cref="ProtocolException">The bytes are not what they should be, or end within a frame.</exception>
    internal Frame? Read(bool wait)
    {
        while (true)
        {
            Span<byte> target = _part switch
            {
                Part.Header => _headerBytes.AsSpan(_headerFilled),
                Part.Body => _body.Free(),
                _ => _current.Free(),
            };
            if (!target.IsEmpty)
            {
                // Descriptors come with the first byte of their frame, so only a header is read with room for them.
                int count = transport.Receive(target, _part == Part.Header ? _descriptors : null, wait);
                if (count == Transport.WouldBlock)
                    return null;
                if (count == 0)
                {
                    End();
                    return null;
                }
                Advance(count);
            }
            if (Step() is { } frame)
                return frame;
        }
    }

    private void Advance(int count)
    {
        if (_part == Part.Header)
            _headerFilled += count;
        else if (_part == Part.Body)
            _body.Advance(count);
        else
            _current.Advance(count);
    }

    private void End()
    {
        if (_part != Part.Header || _headerFilled > 0)
            throw new ProtocolException("the other side ended in the middle of a frame");
        AtEnd = true;
    }

    /// <summary>Goes to the next part if this one is complete; the frame, if that was the last.</summary>
    private Frame? Step()
    {
        switch (_part)
        {
            case Part.Header when _headerFilled == FrameHeader.Size:
                _header = FrameHeader.Read(_headerBytes, Limits);
                if (_descriptors.Count != _header.DescriptorCount)
                    throw new ProtocolException($"a {_header.Type} frame announces {_header.DescriptorCount} descriptors, {_descriptors.Count} arrived");
                _body = new GrowingBuffer((int)_header.BodyLength);
                _part = Part.Body;
                break;
            case Part.Body when _body.IsFull:
                if (Crc32C.Compute(_body.Bytes) != _header.BodyChecksum)
                    throw new ProtocolException($"the checksum of a {_header.Type} frame is wrong");
                CheckLargeTable();
                _large = _header.LargeCount == 0 ? [] : new byte[_header.LargeCount][];
                _largeDone = 0;
                if (!NextLarge())
                    return Complete();
                break;
            case Part.Large when _current.IsFull:
                if (Crc32C.ComputeLarge(_current.Bytes) != LargeEntry(_largeDone).Checksum)
                    throw new ProtocolException($"the checksum of a large buffer of a {_header.Type} frame is wrong");
                _large[_largeDone++] = _current.Bytes;
                if (!NextLarge())
                    return Complete();
                break;
        }
        return null;
    }

    private bool NextLarge()
    {
        if (_largeDone == _large.Length)
            return false;
        _current = new GrowingBuffer((int)LargeEntry(_largeDone).Length);
        _part = Part.Large;
        return true;
    }

    private (long Length, uint Checksum) LargeEntry(int index)
    {
        ReadOnlySpan<byte> entry = _body.Bytes.AsSpan(index * FrameHeader.LargeEntrySize);
        return (BinaryPrimitives.ReadInt64LittleEndian(entry), BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]));
    }

    private void CheckLargeTable()
    {
        long total = _header.PayloadLength;
        for (int i = 0; i < _header.LargeCount; i++)
        {
            long length = LargeEntry(i).Length;
            if (length < 0 || length > Array.MaxLength || (total += length) > Limits.MaxBytes)
                throw new ProtocolException($"a {_header.Type} frame announces more than the {Limits.MaxBytes} bytes that are accepted");
        }
    }

    private Frame Complete()
    {
        FileDescriptor[] descriptors = _descriptors.Count == 0 ? [] : _descriptors.ToArray();
        _descriptors.Clear();
        ReadOnlyMemory<byte> payload = _body.Bytes.AsMemory(_header.LargeCount * FrameHeader.LargeEntrySize);
        Frame frame = new(_header.Type, _header.Id, payload, _large, descriptors);
        _part = Part.Header;
        _headerFilled = 0;
        _body = _current = default;
        _large = [];
        return frame;
    }

    /// <summary>Closes descriptors of a frame that never became complete.</summary>
    public void Dispose()
    {
        foreach (FileDescriptor descriptor in _descriptors)
            descriptor.Dispose();
        _descriptors.Clear();
    }
}
