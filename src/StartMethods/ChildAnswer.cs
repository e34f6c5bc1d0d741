using System.Runtime.ExceptionServices;
using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Payloads;

namespace StartMethods;

/// <summary>How a child's work ended: with a frame of the child, or with a reason why there is none that counts.</summary>
internal sealed class ChildAnswer : IDisposable
{
    private readonly Frame? _frame;
    private readonly Exception? _silence;
    private readonly Exception? _overruled;

    internal ChildAnswer(Frame frame, Exception? overruled) => (_frame, _overruled) = (frame, overruled);

    internal ChildAnswer(Exception silence, Exception? overruled) => (_silence, _overruled) = (silence, overruled);

    /// <summary>Why the child said nothing; null where it answered.</summary>
    internal Exception? Silence => _silence;

    /// <summary>Whether it is the body's value.</summary>
    internal bool IsResult => _frame?.Type == FrameType.Result && _overruled is null;

    /// <summary>Whether it is an exception of the body.</summary>
    internal bool IsFailure => _frame?.Type == FrameType.Failure && _overruled is null;

    /// <summary>The value of the body; throws what it threw, or why there is none. To be called once: it takes what is in the frame.</summary>
    internal object? Read(Type resultType, IPayloadSerializer? serializer)
    {
        using (_frame)
        {
            if (_overruled is not null)
                throw _overruled;
            if (_silence is not null)
                throw _silence;
            ReceivedPayload payload = PayloadFrames.Take(_frame!);
            using (payload)
            {
                if (_frame!.Type == FrameType.Result)
                    return resultType == typeof(void) ? null : ResultCodec.Decode(payload, resultType, serializer);
                ExceptionDispatchInfo.Throw(FailureCodec.Decode(payload));
                return null;
            }
        }
    }

    public void Dispose() => _frame?.Dispose();
}
