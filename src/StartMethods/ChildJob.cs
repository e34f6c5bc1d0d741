using StartMethods.Payloads;

namespace StartMethods;

/// <summary>What a child is to do: a body and perhaps its argument, in memory. Written for the wire only when a start method asks for it.</summary>
internal sealed class ChildJob
{
    private readonly bool _hasArgument;

    private ChildJob(Delegate body, object? argument, bool hasArgument) => (Body, Argument, _hasArgument) = (body, argument, hasArgument);

    internal Delegate Body { get; }

    internal object? Argument { get; }

    internal Type ResultType => JobShape.For(Body.GetType()).ResultType;

    /// <summary>Whether the body has a token that can be cancelled: only then is it worth asking before ending it.</summary>
    internal bool TakesToken => JobShape.For(Body.GetType()).TakesToken;

    internal static ChildJob Of(Delegate body)
    {
        ArgumentNullException.ThrowIfNull(body);
        return new ChildJob(body, null, hasArgument: false);
    }

    internal static ChildJob Of(Delegate body, object? argument)
    {
        ArgumentNullException.ThrowIfNull(body);
        return new ChildJob(body, argument, hasArgument: true);
    }

    /// <summary>Whether the start is a wait for the end of the child too: nobody wants its answer any sooner.</summary>
    internal bool IsAwaited { get; private init; }

    /// <summary>The same as a start that is a wait for the child's end.</summary>
    internal ChildJob Awaited() => new(Body, Argument, _hasArgument) { IsAwaited = true };

    /// <summary>Writes it for the wire.</summary>
    /// <exception cref="PayloadException">Something in it cannot travel; the message has the path to it.</exception>
    internal EncodedPayload Encode(IPayloadSerializer? serializer) => JobCodec.Encode(Body, Argument, _hasArgument, serializer);
}
