using System.Buffers;
using System.Threading.Tasks.Sources;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <summary>What a worker answered: a copy in this process's own memory, out of the worker's reach.</summary>
internal sealed class WorkerAnswer : IDisposable
{
    private byte[]? _rented;
    private readonly bool _isOwned;
    private readonly int _length;
    private readonly int _split;
    private readonly Memory<byte>[]? _buffers;

    internal WorkerAnswer(bool succeeded, byte[] rented, int length, int split, Memory<byte>[]? buffers, bool isOwned = false)
    {
        _isOwned = isOwned;
        Succeeded = succeeded;
        (_rented, _length, _split, _buffers) = (rented, length, split, buffers);
    }

    /// <summary>An answer whose bytes are nobody else's.</summary>
    internal static WorkerAnswer Owned(bool succeeded, byte[] bytes, int split, Memory<byte>[]? buffers, uint runTicks) =>
        new(succeeded, bytes, bytes.Length, split, buffers, isOwned: true) { RunTicks = runTicks };

    /// <summary>How long the worker says that it took, in ticks of 100 ns: without the way there and back, which on a busy machine is far longer.</summary>
    internal uint RunTicks { get; init; }

    /// <summary>It holds a result; a chunk that failed in its midst holds its first results and, behind them, the failure.</summary>
    internal bool Succeeded { get; }

    /// <summary>Handles that came with it; those that no result takes are closed with it.</summary>
    internal FileDescriptor[]? Handles { get; init; }

    /// <summary>All bytes, the large buffers included; a handle counts as much as it weighs, see <see cref="PoolTask.HandleWeight"/>.</summary>
    internal long Size => _length + (_buffers?.Sum(static buffer => (long)buffer.Length) ?? 0) + (Handles?.Length ?? 0) * PoolTask.HandleWeight;

    /// <summary>A result without a value.</summary>
    internal bool IsEmpty => Succeeded && _length == 0;

    internal bool HasFailureBehind => Succeeded && _split > 0;

    internal object? ReadResult(Type declared, IPayloadSerializer? serializer)
    {
        int end = HasFailureBehind ? _split : _length;
        return end == 0 ? null : ResultCodec.Decode(new ReceivedPayload(_rented.AsMemory(0, end), Handles, _buffers), declared, serializer);
    }

    internal Exception ReadFailure()
    {
        int start = Succeeded ? _split : 0;
        return FailureCodec.Decode(new ReceivedPayload(_rented.AsMemory(start, _length - start), buffers: Succeeded ? null : _buffers));
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _rented, null) is { Length: > 0 } rented && !_isOwned)
            ArrayPool<byte>.Shared.Return(rented);
        foreach (FileDescriptor handle in Handles ?? [])
            handle.Dispose(); // what a result has taken is no longer in it
    }
}

/// <summary>A task with its payload and the caller who awaits it.</summary>
internal class PoolTask : TaskEntry, IValueTaskSource<WorkerAnswer?>
{
    // The thread that completes a task is one of the pool's, which runs no user code.
    private ManualResetValueTaskSourceCore<WorkerAnswer?> _source = new() { RunContinuationsAsynchronously = true };

    /// <summary>What goes to the worker; null in a lease request, and once the task has ended.</summary>
    internal EncodedPayload? Payload { get; set; }

    /// <summary>A chunk of a map has so many handles as go with a mebibyte at this weight: one message carries 253.</summary>
    internal const long HandleWeight = 32 * 1024;

    /// <summary>The handles that go with it; null where there are none.</summary>
    internal SentHandles? Handles { get; set; }

    internal WorkerAnswer? Answer { get; set; }

    /// <summary>How the last worker that ran it died.</summary>
    internal WorkerCrash? Crash { get; set; }

    /// <summary>Where its record stands in the ring of its worker.</summary>
    internal uint RingPosition { get; set; }

    /// <summary>The trace in which the caller is, as W3C traceparent; null where there is none.</summary>
    internal string? TraceParent { get; set; }

    /// <summary>What the caller may cancel it by; for the exception.</summary>
    internal CancellationToken Token { get; set; }

    /// <summary>The limit that is named when it is exceeded.</summary>
    internal TimeSpan TimeLimit { get; set; }

    /// <summary>Completes with the answer of the worker, or fails with anything else that ended the task. To be awaited once.</summary>
    internal ValueTask<WorkerAnswer?> Completion => new(this, _source.Version);

    /// <summary>It will not be sent, or not again.</summary>
    internal void Discard()
    {
        Payload?.Dispose();
        Payload = null;
        Handles?.Release();
        Handles = null;
    }

    internal virtual void SetAnswer(WorkerAnswer? answer) => _source.SetResult(answer);

    internal virtual void SetException(Exception error) => _source.SetException(error);

    WorkerAnswer? IValueTaskSource<WorkerAnswer?>.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<WorkerAnswer?>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<WorkerAnswer?>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}
