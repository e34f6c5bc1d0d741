using StartMethods.Interop;

namespace StartMethods.Pools;

/// <summary>What came from a worker.</summary>
internal enum WorkerMessageKind : byte { Ready, InitializerFailed, Answer }

/// <summary>One message of a worker; the receiver owns the answer.</summary>
internal readonly record struct WorkerMessage(WorkerMessageKind Kind, long TaskId, WorkerAnswer? Answer);

/// <summary>
/// The application's end of the connection to one worker. Used under the pool's lock only; nothing here waits. What comes from the other side is
/// hostile: it may make <see cref="TryReceive"/> throw, never more.
/// </summary>
internal abstract class WorkerLink : IDisposable
{
    /// <summary>Hands a task over; it becomes visible with <see cref="Flush"/>, at the latest when the worker has room.</summary>
    internal abstract void Send(PoolTask task);

    /// <summary>Takes a task back if the worker has not begun it.</summary>
    internal abstract bool TryRevoke(PoolTask task);

    /// <summary>Whether the worker, which is dead, had begun the task.</summary>
    internal abstract bool HasBegun(PoolTask task);

    /// <summary>Makes what was sent visible, and wakes the worker.</summary>
    internal abstract void Flush();

    /// <summary>Cancels the token of the task if the worker runs it.</summary>
    internal abstract void Ask(long taskId);

    /// <summary>Tells the worker to leave when it is done with what it has.</summary>
    internal abstract void Stop();

    /// <summary>The next message, if there is one.</summary>
    /// <exception cref="StartMethodException">What came is nothing that a worker says.</exception>
    internal abstract bool TryReceive(out WorkerMessage message);

    /// <summary>The resident memory of the worker in bytes, as far as it said; it is not to be trusted.</summary>
    internal virtual long WorkerMemory { get; private protected set; }

    /// <summary>Gives unused shared memory back to the system.</summary>
    internal virtual void Trim() { }

    /// <summary>The words to wait for, where the connection has such; else it pokes the pool by itself.</summary>
    internal virtual bool TryGetWatch(out RingWatch watch)
    {
        watch = default;
        return false;
    }

    /// <summary>Whether <see cref="TryRevoke"/> can succeed once a task is visible; else workers get one task at a time.</summary>
    internal abstract bool CanRevoke { get; }

    public abstract void Dispose();
}
