namespace StartMethods.Payloads;

/// <summary>
/// A result on the wire, child to parent: version, value, content that was put off. To the parent it is hostile input: what it creates
/// follows from the declared type, never from the payload.
/// </summary>
internal static class ResultCodec
{
    /// <summary>Encodes what a body returned.</summary>
    /// <exception cref="PayloadException">Something in it cannot travel; the path says what.</exception>
    internal static EncodedPayload Encode(object? value, Type declared, IPayloadSerializer? serializer = null)
    {
        GraphWriter writer = PayloadPools.Rent(null);
        try
        {
            writer.Serializer = serializer;
            writer.IsResult = true;
            Write(writer, value, declared);
            EncodedPayload payload = writer.Detach();
            PayloadPools.Return(writer);
            return payload;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw PayloadErrors.Locate(e, writer => Write(writer, value, declared), serializer, isResult: true);
        }
    }

    private static void Write(GraphWriter writer, object? value, Type declared)
    {
        writer.WriteInt32(WireFormat.Version);
        if (declared == typeof(void))
        {
            writer.WriteNil();
        }
        else
        {
            writer.Path?.EnterRoot("result");
            writer.WriteRoot(value, declared);
            writer.Path?.Leave();
        }
        writer.WriteDeferred();
    }

    /// <summary>Decodes a result of the declared type. Takes over the payload, and disposes of it.</summary>
    /// <exception cref="PayloadException">It is malformed, or not what was declared.</exception>
    internal static object? Decode(ReceivedPayload payload, Type declared, IPayloadSerializer? serializer = null) =>
        PayloadErrors.Read(payload, null, isResult: true, serializer, static (reader, declared) =>
        {
            object? value = null;
            if (declared == typeof(void))
                reader.ReadNil();
            else
                value = reader.ReadRoot(declared);
            reader.ReadDeferred();
            return value;
        }, declared);
}
