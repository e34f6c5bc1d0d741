using System.Runtime.InteropServices;

namespace StartMethods.Payloads;

// What travels beside the payload's bytes: large buffers and handles of the operating system.
internal sealed partial class GraphWriter
{
    private List<SafeHandle>? _handles;
    private List<ReadOnlyMemory<byte>>? _buffers;

    internal bool TryWriteOutOfBand(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length < WireFormat.OutOfBandThreshold)
            return false;
        _buffers ??= [];
        WriteExtension(WireFormat.OutOfBand, _buffers.Count);
        _buffers.Add(bytes);
        return true;
    }

    internal bool TryWriteOutOfBand(Array array, int elementSize) => array is byte[] bytes
        ? TryWriteOutOfBand((ReadOnlyMemory<byte>)bytes)
        : TryWriteOutOfBand(array, 0, array.Length * elementSize);

    internal bool TryWriteOutOfBand(Array array, int offset, int length) =>
        length >= WireFormat.OutOfBandThreshold && TryWriteOutOfBand(new ArrayBytes(array, offset, length).Memory);

    /// <summary>Lends a handle to the payload: the channel sends a duplicate, the caller's stays open.</summary>
    internal void WriteHandle(SafeHandle handle)
    {
        if (handle.IsInvalid || handle.IsClosed)
            throw new PayloadException($"A {TypeText.Short(handle.GetType())} that is closed cannot travel to another process. Send it while it is open.");
        _handles ??= [];
        WriteExtension(WireFormat.Handle, _handles.Count);
        _handles.Add(handle);
    }

    /// <summary>Hands everything written over and leaves the writer empty.</summary>
    internal EncodedPayload Detach()
    {
        byte[] bytes = Detach(out int length);
        var payload = new EncodedPayload(bytes, length, _handles?.ToArray(), _buffers?.ToArray());
        return payload;
    }
}
