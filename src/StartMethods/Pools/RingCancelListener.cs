using StartMethods.Interop;

namespace StartMethods.Pools;

/// <summary>A thread of the worker that sleeps on a word in shared memory, until the application asks for the end of a task.</summary>
internal sealed class RingCancelListener : IDisposable
{
    private readonly RingMemory _memory;
    private readonly TaskCanceller _canceller;
    private readonly Thread _thread;
    private volatile bool _ended;

    internal RingCancelListener(RingMemory memory, TaskCanceller canceller)
    {
        (_memory, _canceller) = (memory, canceller);
        _thread = new Thread(Listen, maxStackSize: 256 * 1024) { Name = "StartMethods Pool Control", IsBackground = true };
        _thread.UnsafeStart();
    }

    private unsafe void Listen()
    {
        uint sleeps = 0;
        RingWatch watch = new() { Word = _memory.WordAddress(RingWord.AskSequence), Sleeps = &sleeps };
        RingWaitState wait = new() { Size = (uint)sizeof(RingWaitState), Count = 1, Watches = &watch, Bells = -1, TimeoutMilliseconds = -1 };
        while (!_ended)
        {
            watch.Seen = Volatile.Read(ref *watch.Word);
            _canceller.Ask(Volatile.Read(ref _memory.Word(RingWord.AskTask)));
            if (!_ended && Native.RingWait(&wait) < 0)
                return;
        }
    }

    /// <summary>Ends the thread: the memory is about to go.</summary>
    public unsafe void Dispose()
    {
        _ended = true;
        uint* word = _memory.WordAddress(RingWord.AskSequence);
        Interlocked.Increment(ref *(int*)word);
        _ = Native.RingWake(word);
        _thread.Join();
    }
}
