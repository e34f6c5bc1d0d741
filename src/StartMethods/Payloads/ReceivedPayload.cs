using System.Runtime.InteropServices;

namespace StartMethods.Payloads;

/// <summary>What arrived. A decoder reads it once, takes over the handles and buffers that it uses, and disposes of the rest.</summary>
internal sealed class ReceivedPayload : IDisposable
{
    private readonly SafeHandle?[]? _handles;
    private readonly Memory<byte>[]? _buffers;
    private readonly bool[]? _bufferTaken;
    private List<IDisposable>? _owned;

    /// <summary>Takes <paramref name="handles"/> over. A buffer that is a whole byte[] is handed to the result as it is.</summary>
    internal ReceivedPayload(ReadOnlyMemory<byte> bytes, IReadOnlyList<SafeHandle>? handles = null, IReadOnlyList<Memory<byte>>? buffers = null)
    {
        Bytes = bytes;
        if (handles is { Count: > 0 })
        {
            _handles = new SafeHandle?[handles.Count]; // not a spread, which would load Linq into every child
            for (int i = 0; i < _handles.Length; i++)
                _handles[i] = handles[i];
        }
        if (buffers is null || buffers.Count == 0)
            return;
        _buffers = new Memory<byte>[buffers.Count];
        for (int i = 0; i < _buffers.Length; i++)
            _buffers[i] = buffers[i];
        _bufferTaken = new bool[_buffers.Length];
    }

    internal ReadOnlyMemory<byte> Bytes { get; }

    internal Memory<byte> TakeBuffer(int index)
    {
        if (_buffers is null || (uint)index >= (uint)_buffers.Length || _bufferTaken![index])
            throw MessagePackReader.Malformed($"it refers to large buffer {index}, which did not arrive or belongs to another value");
        _bufferTaken[index] = true;
        return _buffers[index];
    }

    internal nint TakeHandle(int index)
    {
        if (_handles is null || (uint)index >= (uint)_handles.Length || _handles[index] is not { } handle)
            throw MessagePackReader.Malformed($"it refers to handle {index}, which did not arrive or belongs to another value");
        nint descriptor = handle.DangerousGetHandle();
        handle.SetHandleAsInvalid();
        handle.Dispose();
        _handles[index] = null;
        return descriptor;
    }

    internal void Own(IDisposable holder) => (_owned ??= []).Add(holder);

    /// <summary>
    /// Closes what a decoder has already taken: of one that failed, and of a body that is over. What stands on another one goes first: a file writes what it still has before
    /// its handle is closed, and what is wrong with that is the body's affair, who could have closed it.
    /// </summary>
    internal void DisposeTaken()
    {
        if (_owned is null)
            return;
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            try
            {
                _owned[i].Dispose();
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or UnauthorizedAccessException)
            {
                // nobody is left who could do anything about it
            }
        }
    }

    /// <summary>Closes the handles that nobody took.</summary>
    public void Dispose()
    {
        for (int i = 0; _handles is not null && i < _handles.Length; i++)
        {
            _handles[i]?.Dispose();
            _handles[i] = null;
        }
    }
}
