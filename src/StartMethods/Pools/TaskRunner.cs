using System.Buffers;
using System.Diagnostics;
using System.Runtime.InteropServices;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <summary>What a worker does with a task, whatever connects it to its application: decode, run, answer. Nothing that a task does gets past it, except the end of the process.</summary>
internal abstract class TaskRunner(WorkerSetup setup) : IDisposable
{
    protected WorkerSetup Setup { get; } = setup;

    protected TaskCanceller Canceller { get; } = new();

    private long _began;

    /// <summary>How long the present task has run, decoding and encoding included, in ticks of 100 ns.</summary>
    protected uint RunTicks => (uint)Math.Min(Stopwatch.GetElapsedTime(_began).Ticks, uint.MaxValue);

    /// <summary>Says that the worker is ready, and runs tasks until it is told to leave.</summary>
    internal abstract void Serve();

    /// <summary>Sends an answer. <paramref name="split"/>: where, in a chunk that failed, the failure begins behind the first results.</summary>
    /// <exception cref="PayloadException">It is too large.</exception>
    protected abstract void Reply(RingRecordKind kind, long id, EncodedPayload? payload, int split);

    /// <summary>The argument's memory is about to be used for something else.</summary>
    protected virtual void EndLoans() { }

    /// <summary>Whether results may hold handles of the operating system.</summary>
    protected virtual bool CarriesHandles => false;

    public abstract void Dispose();

    internal virtual void InitializerFailed(Exception error)
    {
        using EncodedPayload failure = FailureCodec.Encode(error);
        Reply(RingRecordKind.InitializerFailed, 0, failure, split: 0);
    }

    /// <summary>Runs a task to its answer.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="payload">What it is.</param>
    /// <param name="token">Cancelled when it shall end.</param>
    /// <param name="keepsHandles">The handles that it got, or returns, are the body's own; else they are closed here, in the end.</param>
    protected void Execute(long id, ReceivedPayload payload, CancellationToken token, bool keepsHandles = false)
    {
        Exception error;
        _began = Stopwatch.GetTimestamp();
        IPayloadSerializer? serializer = Setup.Serializer;
        try
        {
            Job job = JobCodec.Decode(payload);
            serializer = job.Serializer ?? serializer;
            object? value = job.InvokeAsync(token).GetAwaiter().GetResult();
            if (job.ResultType == typeof(void))
            {
                Reply(RingRecordKind.Result, id, null, split: 0);
                return;
            }
            using EncodedPayload result = Checked(ResultCodec.Encode(value, job.ResultType, serializer));
            Reply(RingRecordKind.Result, id, result, split: 0);
            if (!keepsHandles)
                CloseMoved(result);
            return;
        }
        catch (ChunkFailedException e)
        {
            ReplyPartly(id, e, serializer, keepsHandles);
            return;
        }
        catch (Exception e)
        {
            error = e;
        }
        finally
        {
            EndLoans();
            if (!keepsHandles)
                payload.DisposeTaken();
        }
        ReplyFailure(id, error);
    }

    // They are the application's now. A duplicate that nobody here would close held up the end of the file or the connection.
    private static void CloseMoved(EncodedPayload result)
    {
        foreach (SafeHandle handle in result.Handles)
            handle.Dispose();
    }

    private void ReplyFailure(long id, Exception error)
    {
        using EncodedPayload failure = FailureCodec.Encode(error);
        Reply(RingRecordKind.Failure, id, failure, split: 0);
    }

    private EncodedPayload Checked(EncodedPayload result)
    {
        long size = result.Bytes.Length;
        foreach (ReadOnlyMemory<byte> buffer in result.Buffers)
            size += buffer.Length;
        int handles = result.Handles.Count;
        if (size <= Setup.MaxResultBytes && handles <= (CarriesHandles ? Native.MaxDescriptors : 0) && result.Buffers.Count < RingLink.MaxExtents)
            return result;
        result.Dispose();
        throw new PayloadException(
            handles > 0 && !CarriesHandles ? $"The result holds a handle of the operating system. Handles cannot come back without the native library ({Native.UnavailableReason}); return what they refer to."
            : handles > Native.MaxDescriptors ? $"The result holds {handles} handles of the operating system; the system carries {Native.MaxDescriptors} at a time."
            : $"The result has {size} bytes in {result.Buffers.Count + 1} parts, more than WorkerPoolOptions.MaxResultBytes ({Setup.MaxResultBytes}) allows.");
    }

    /// <summary>A chunk of a map that threw in its midst: the results before that, and the exception behind them.</summary>
    private void ReplyPartly(long id, ChunkFailedException error, IPayloadSerializer? serializer, bool keepsHandles)
    {
        try
        {
            using EncodedPayload values = Checked(ResultCodec.Encode(error.Values, error.Values.GetType(), serializer));
            using EncodedPayload failure = FailureCodec.Encode(error.InnerException!);
            int length = values.Bytes.Length + failure.Bytes.Length;
            byte[] both = ArrayPool<byte>.Shared.Rent(length); // a payload gives its array back to where it came from
            values.Bytes.CopyTo(both);
            failure.Bytes.CopyTo(both.AsMemory(values.Bytes.Length));
            using var joined = new EncodedPayload(both, length, [.. values.Handles], [.. values.Buffers]);
            Reply(RingRecordKind.Result, id, joined, split: values.Bytes.Length);
            if (!keepsHandles)
                CloseMoved(joined);
        }
        catch (PayloadException e)
        {
            ReplyFailure(id, e);
        }
    }
}
