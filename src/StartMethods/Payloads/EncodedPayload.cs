using System.Buffers;
using System.Runtime.InteropServices;

namespace StartMethods.Payloads;

/// <summary>What is to be sent: bytes in a pooled buffer, handles that are lent by their owners, large buffers that are referenced, not copied.</summary>
internal sealed class EncodedPayload : IDisposable
{
    // Not Array.Empty<T>(), whose code for this type every child would have to compile.
    private static readonly ReadOnlyMemory<byte>[] NoBuffers = new ReadOnlyMemory<byte>[0];
    private byte[]? _buffer;
    private readonly int _length;

    internal EncodedPayload(byte[] buffer, int length, SafeHandle[]? handles, ReadOnlyMemory<byte>[]? buffers)
    {
        _buffer = buffer;
        _length = length;
        Handles = handles ?? [];
        Buffers = buffers ?? NoBuffers;
    }

    /// <summary>Valid until <see cref="Dispose"/>.</summary>
    internal ReadOnlyMemory<byte> Bytes => new(_buffer ?? throw new ObjectDisposedException(nameof(EncodedPayload)), 0, _length);

    /// <summary>To be passed as SCM_RIGHTS with the frame, in this order; they stay their owners'.</summary>
    internal IReadOnlyList<SafeHandle> Handles { get; }

    /// <summary>Each of at least <see cref="WireFormat.OutOfBandThreshold"/> bytes. They are the caller's own arrays: read them before control returns to him, or say so.</summary>
    internal IReadOnlyList<ReadOnlyMemory<byte>> Buffers { get; }

    /// <summary>All bytes, the large buffers included.</summary>
    internal long Size
    {
        get
        {
            long size = _length;
            for (int i = 0; i < Buffers.Count; i++)
                size += Buffers[i].Length;
            return size;
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _buffer, null) is { Length: > 0 } buffer)
            ArrayPool<byte>.Shared.Return(buffer);
    }
}
