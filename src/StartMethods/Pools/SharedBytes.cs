using System.Buffers;

namespace StartMethods.Pools;

/// <summary>
/// Shared memory as <see cref="Memory{T}"/>, for as long as the task runs that it belongs to. A body that keeps it longer gets an
/// <see cref="ObjectDisposedException"/> rather than the bytes of another task.
/// </summary>
// Unsafe outside of Interop: reading large arguments where they are, instead of copying them, is what the arena is for.
internal sealed unsafe class SharedBytes(byte* start, int length) : MemoryManager<byte>
{
    private byte* _start = start;

    public override Span<byte> GetSpan() => _start == null
        ? throw new ObjectDisposedException("memory of a pool task", "The memory was an argument of a task that has ended. Copy what is needed longer.")
        : new Span<byte>(_start, length);

    public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex, default, this);

    public override void Unpin() { }

    protected override void Dispose(bool disposing) => _start = null;
}
