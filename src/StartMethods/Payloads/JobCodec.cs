namespace StartMethods.Payloads;

/// <summary>
/// A job on the wire, parent to child, trusted: version, flags, serializer, function, target, argument, each a MessagePack value; then
/// content that was put off, to the end.
/// </summary>
internal static class JobCodec
{
    private const int HasArgumentFlag = 1, HasSerializerFlag = 2;
    private static readonly ReferenceCodec SerializerSlot = new(typeof(IPayloadSerializer));

    /// <summary>Encodes a body and its argument.</summary>
    /// <param name="body">Any delegate that <see cref="JobShape"/> describes.</param>
    /// <param name="argument">The argument, if the body takes one.</param>
    /// <param name="hasArgument">Whether the body takes an argument besides a CancellationToken.</param>
    /// <param name="serializer">Takes over values of the types that it knows.</param>
    /// <param name="session">Both ends' memory of one connection; null makes the payload stand alone.</param>
    /// <exception cref="PayloadException">Something cannot travel; the path says what. Nothing was started or sent.</exception>
    internal static EncodedPayload Encode(Delegate body, object? argument = null, bool hasArgument = false, IPayloadSerializer? serializer = null, PayloadSession? session = null)
    {
        bool takesArgument = JobShape.For(body.GetType()).ArgumentType is not null;
        if (hasArgument != takesArgument)
            throw new ArgumentException(takesArgument ? "The body takes an argument, and none is given." : "The body takes no argument.", nameof(body));
        GraphWriter writer = PayloadPools.Rent(session);
        (int, int, int) mark = session?.Mark() ?? default;
        try
        {
            writer.Serializer = serializer;
            Write(writer, body, argument, hasArgument);
            EncodedPayload payload = writer.Detach();
            PayloadPools.Return(writer);
            return payload;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            session?.Rollback(mark);
            throw PayloadErrors.Locate(e, writer => Write(writer, body, argument, hasArgument), serializer, isResult: false);
        }
    }

    private static void Write(GraphWriter writer, Delegate body, object? argument, bool hasArgument)
    {
        Function function = Function.Of(body);
        writer.WriteInt32(WireFormat.Version);
        writer.WriteInt32((hasArgument ? HasArgumentFlag : 0) | (writer.Serializer is not null ? HasSerializerFlag : 0));
        if (writer.Serializer is { } serializer)
        {
            writer.Serializer = null; // it cannot write itself
            writer.Path?.EnterRoot("serializer");
            writer.WriteReference(serializer, SerializerSlot);
            writer.Path?.Leave();
            writer.Serializer = serializer;
        }
        writer.Path?.EnterFunction(function);
        writer.WriteFunction(function);
        writer.WriteTarget(body.Target, function.TargetSlot, function.Usage, defer: false);
        writer.Path?.Leave();
        if (hasArgument)
        {
            writer.Path?.EnterRoot("argument");
            writer.WriteRoot(argument, function.Shape.ArgumentType!);
            writer.Path?.Leave();
        }
        writer.WriteDeferred();
    }

    /// <summary>Decodes a job. Takes over the payload, and disposes of it.</summary>
    /// <exception cref="PayloadException">The payload is malformed, or of another build of the application.</exception>
    internal static Job Decode(ReceivedPayload payload, PayloadSession? session = null) =>
        PayloadErrors.Read(payload, session, isResult: false, null, static (GraphReader reader, int _) =>
        {
            int flags = reader.ReadInt32(0, HasArgumentFlag | HasSerializerFlag);
            if ((flags & HasSerializerFlag) != 0)
                reader.Serializer = (IPayloadSerializer?)reader.ReadReference(SerializerSlot);
            IPayloadSerializer? serializer = reader.Serializer;
            Function function = reader.ReadFunction();
            object? target = reader.ReadReference(function.TargetSlot);
            bool hasArgument = (flags & HasArgumentFlag) != 0;
            if (hasArgument != function.Shape.ArgumentType is not null)
                throw MessagePackReader.Malformed("a job and its function disagree about an argument");
            object? argument = hasArgument ? reader.ReadRoot(function.Shape.ArgumentType!) : null;
            Delegate body = function.Bind(function.Shape.BodyType, target);
            reader.ReadDeferred();
            return new Job(function, body, argument, hasArgument, serializer);
        }, 0);
}
