using System.Buffers;
using System.Diagnostics;
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

    public abstract void Dispose();

    internal virtual void InitializerFailed(Exception error)
    {
        using EncodedPayload failure = FailureCodec.Encode(error);
        Reply(RingRecordKind.InitializerFailed, 0, failure, split: 0);
    }

    protected void Execute(long id, ReceivedPayload payload, CancellationToken token)
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
            return;
        }
        catch (ChunkFailedException e)
        {
            ReplyPartly(id, e, serializer);
            return;
        }
        catch (Exception e)
        {
            error = e;
        }
        finally
        {
            EndLoans();
        }
        ReplyFailure(id, error);
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
        if (size <= Setup.MaxResultBytes && result.Handles.Count == 0 && result.Buffers.Count < RingLink.MaxExtents)
            return result;
        result.Dispose();
        throw new PayloadException(result.Handles.Count > 0
            ? "The result holds a handle of the operating system. Handles cannot come back from a pool worker; return what they refer to."
            : $"The result has {size} bytes in {result.Buffers.Count + 1} parts, more than WorkerPoolOptions.MaxResultBytes ({Setup.MaxResultBytes}) allows.");
    }

    /// <summary>A chunk of a map that threw in its midst: the results before that, and the exception behind them.</summary>
    private void ReplyPartly(long id, ChunkFailedException error, IPayloadSerializer? serializer)
    {
        try
        {
            using EncodedPayload values = Checked(ResultCodec.Encode(error.Values, error.Values.GetType(), serializer));
            using EncodedPayload failure = FailureCodec.Encode(error.InnerException!);
            int length = values.Bytes.Length + failure.Bytes.Length;
            byte[] both = ArrayPool<byte>.Shared.Rent(length); // a payload gives its array back to where it came from
            values.Bytes.CopyTo(both);
            failure.Bytes.CopyTo(both.AsMemory(values.Bytes.Length));
            using var joined = new EncodedPayload(both, length, null, [.. values.Buffers]);
            Reply(RingRecordKind.Result, id, joined, split: values.Bytes.Length);
        }
        catch (PayloadException e)
        {
            ReplyFailure(id, e);
        }
    }
}
