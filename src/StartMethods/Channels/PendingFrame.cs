using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace StartMethods.Channels;

/// <summary>A frame on its way out: which of its bytes have left.</summary>
internal sealed class PendingFrame
{
    private readonly FrameContent _content;
    private readonly byte[] _head;
    private int _part;   // 0: header and table, 1: payload, 2…: large buffers
    private int _offset; // within the part

    /// <summary>Frames of these contents: a single one where all are small, so that they leave in one message.</summary>
    internal static PendingFrame[] Of(ReadOnlySpan<FrameContent> contents)
    {
        int size = 0;
        for (int i = 0; i < contents.Length && size >= 0; i++)
        {
            // Descriptors leave with the first byte.
            bool joins = contents[i].LargeBuffers is not { Count: > 0 } && (i == 0 || contents[i].Descriptors is not { Count: > 0 });
            size = joins && size + contents[i].Payload.Length < MostJoined ? size + FrameHeader.Size + contents[i].Payload.Length : -1;
        }
        if (size >= 0 && contents.Length > 1)
            return [new PendingFrame(contents, size)];
        PendingFrame[] frames = new PendingFrame[contents.Length];
        for (int i = 0; i < frames.Length; i++)
            frames[i] = new PendingFrame(contents[i]);
        return frames;
    }

    private const int MostJoined = 32 * 1024;

    private PendingFrame(ReadOnlySpan<FrameContent> contents, int size)
    {
        _head = new byte[size];
        Span<byte> target = _head;
        Action? released = null;
        foreach (ref readonly FrameContent content in contents)
        {
            ReadOnlySpan<byte> payload = content.Payload.Span;
            new FrameHeader(content.Type, content.Id, content.Descriptors?.Count ?? 0, 0, (uint)payload.Length, Crc32C.Compute(payload)).Write(target);
            payload.CopyTo(target[FrameHeader.Size..]);
            target = target[(FrameHeader.Size + payload.Length)..];
            released += content.Sent;
        }
        _content = new FrameContent(contents[0].Type) { Descriptors = contents[0].Descriptors, Sent = released };
    }

    internal PendingFrame(in FrameContent content)
    {
        _content = content;
        int large = content.LargeBuffers?.Count ?? 0;
        _head = new byte[FrameHeader.Size + large * FrameHeader.LargeEntrySize];
        Span<byte> table = _head.AsSpan(FrameHeader.Size);
        for (int i = 0; i < large; i++)
        {
            ReadOnlySpan<byte> bytes = content.LargeBuffers![i].Span;
            Span<byte> entry = table[(i * FrameHeader.LargeEntrySize)..];
            BinaryPrimitives.WriteInt64LittleEndian(entry, bytes.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], Crc32C.ComputeLarge(bytes));
        }
        int descriptors = content.Descriptors?.Count ?? 0;
        if (descriptors > Interop.Native.MaxDescriptors)
            throw new ArgumentException($"{descriptors} handles cannot travel in one message: the system carries at most {Interop.Native.MaxDescriptors} at a time");
        new FrameHeader(content.Type, content.Id, descriptors, large, (uint)content.Payload.Length, Crc32C.Compute(table, content.Payload.Span)).Write(_head);
    }

    /// <summary>Sends what goes; true when all has left.</summary>
    internal bool Advance(Transport transport, bool wait)
    {
        while (true)
        {
            SkipFinishedParts();
            if (_part >= PartCount)
                return true;
            ReadOnlySpan<byte> first = Span(_part)[_offset..], second = _part + 1 < PartCount ? Span(_part + 1) : default;
            int sent = _part == 0 && _offset == 0 && _content.Descriptors is { Count: > 0 } descriptors
                ? SendWithDescriptors(transport, first, second, descriptors, wait)
                : transport.Send(first, second, default, wait);
            if (sent == Transport.WouldBlock)
                return false;
            _offset += sent;
        }
    }

    /// <summary>Tells the owner of the content that it is needed no more.</summary>
    internal void Release() => _content.Sent?.Invoke();

    private int PartCount => 2 + (_content.LargeBuffers?.Count ?? 0);

    private ReadOnlySpan<byte> Span(int part) => part switch
    {
        0 => _head,
        1 => _content.Payload.Span,
        _ => _content.LargeBuffers![part - 2].Span,
    };

    private void SkipFinishedParts()
    {
        while (_part < PartCount && _offset >= Span(_part).Length)
            _offset -= Span(_part++).Length;
    }

    private static int SendWithDescriptors(Transport transport, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, IReadOnlyList<SafeHandle> handles, bool wait)
    {
        Span<int> numbers = stackalloc int[handles.Count];
        int referenced = 0;
        try
        {
            for (; referenced < handles.Count; referenced++)
            {
                bool added = false;
                handles[referenced].DangerousAddRef(ref added);
                numbers[referenced] = (int)handles[referenced].DangerousGetHandle();
            }
            return transport.Send(first, second, numbers, wait);
        }
        finally
        {
            while (referenced > 0)
                handles[--referenced].DangerousRelease();
        }
    }
}
