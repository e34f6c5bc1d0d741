using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>
/// The memory that an application shares with one worker: two rings, a page of single words, and an arena for each direction. The arenas are address
/// space only; pages exist where something was written, and are used again from the lowest on.
/// </summary>
/// <remarks>Users of the pointer hold a reference to this object; it is unmapped by <see cref="SafeHandle.Dispose()"/> when nobody is in it.</remarks>
internal sealed unsafe class RingMemory : SafeHandle
{
    internal const int RingSize = 128 * 1024;
    private const int Page = 4096;
    private const int RequestHeader = 0, ReplyHeader = Native.RingHeaderSize;
    private const int WordsOffset = 2 * Native.RingHeaderSize;
    private const int RequestData = Page, ReplyData = RequestData + RingSize;
    private const long RequestArena = ReplyData + RingSize;

    private readonly long _size;

    private RingMemory(long size) : base(0, ownsHandle: true) => _size = size;

    /// <summary>The capacities that are tried in this order: a limited address space (ulimit -v) may refuse the larger ones.</summary>
    internal static ReadOnlySpan<long> Capacities => [4L << 30, 256L << 20, 16L << 20];

    /// <summary>The bytes of each arena.</summary>
    internal long ArenaSize => (_size - RequestArena) / 2;

    internal long Size => _size;
    public override bool IsInvalid => handle == 0;

    private byte* Base => (byte*)handle;

    /// <summary>Creates the memory: the descriptor, which the worker maps too, and this side's mapping.</summary>
    internal static (FileDescriptor Descriptor, RingMemory Memory) Create()
    {
        StartMethodException? refused = null;
        foreach (long capacity in Capacities)
        {
            long size = RequestArena + 2 * capacity;
            var descriptor = new FileDescriptor(NativeError.ThrowIfFailed(Native.RingCreate((ulong)size), "memfd_create for a pool worker"));
            try
            {
                return (descriptor, Map(descriptor, size));
            }
            catch (StartMethodException e)
            {
                descriptor.Dispose();
                refused = e;
            }
        }
        throw refused!;
    }

    /// <summary>Maps memory of another process; its size is told by whoever created it.</summary>
    internal static RingMemory Map(FileDescriptor descriptor, long size)
    {
        var memory = new RingMemory(size);
        void* address;
        NativeError.ThrowIfFailed(Native.RingMap(descriptor.Number, (ulong)size, &address), $"mapping {size >> 20} MiB of address space shared with a pool worker");
        memory.SetHandle((nint)address);
        return memory;
    }

    internal RingProducer RequestProducer() => new(this, Base + RequestHeader, Base + RequestData, bell: -1);
    internal RingConsumer RequestConsumer() => new(this, Base + RequestHeader, Base + RequestData);
    internal RingProducer ReplyProducer(int bell) => new(this, Base + ReplyHeader, Base + ReplyData, bell);
    internal RingConsumer ReplyConsumer() => new(this, Base + ReplyHeader, Base + ReplyData);

    /// <summary>The arena of the application's side: written by it, read by the worker.</summary>
    internal byte* RequestArenaAddress => Base + RequestArena;

    internal byte* ReplyArenaAddress => Base + RequestArena + ArenaSize;

    /// <summary>One of the single words beside the rings.</summary>
    internal ref long Word(RingWord word) => ref *(long*)(Base + WordsOffset + 64 * (int)word);

    internal uint* WordAddress(RingWord word) => (uint*)(Base + WordsOffset + 64 * (int)word);

    /// <summary>Gives back the pages of the arenas from <paramref name="from"/> on.</summary>
    internal void DiscardArena(FileDescriptor descriptor, bool reply, long from, long to)
    {
        long start = RequestArena + (reply ? ArenaSize : 0);
        _ = Native.RingDiscard(descriptor.Number, (ulong)(start + from), (ulong)(to - from)); // advice: what is refused stays resident
    }

    protected override bool ReleaseHandle() => Native.RingUnmap((void*)handle, (ulong)_size) >= 0;
}

/// <summary>The single words that the two sides share beside the rings; each has a cache line.</summary>
internal enum RingWord
{
    /// <summary>The worker's resident memory in bytes, as it says itself.</summary>
    WorkerMemory,

    /// <summary>Counts the requests of the application to end a running task; the worker's control thread sleeps on it.</summary>
    AskSequence,

    /// <summary>The task that is asked to end.</summary>
    AskTask,
}
