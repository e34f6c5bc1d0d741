using System.Collections;

namespace StartMethods.Payloads;

/// <summary>
/// What a body threw, on the wire, child to parent: version, then one array per exception: type's name, its assembly's name and token, message,
/// stack trace, HResult, a number that some types are made of, data, inner exceptions. Encoding never fails; decoding treats all of it as hostile.
/// </summary>
internal static class FailureCodec
{
    private const int Fields = 9;
    private const int MaximumDepth = 32, MaximumInner = 64, MaximumData = 64;
    private const int MaximumMessage = 32 * 1024, MaximumTrace = 128 * 1024, MaximumTotal = 4 * 1024 * 1024;

    internal static EncodedPayload Encode(Exception exception)
    {
        GraphWriter writer = PayloadPools.Rent(null);
        writer.WriteInt32(WireFormat.Version);
        Write(writer, exception, 0);
        EncodedPayload payload = writer.Detach();
        PayloadPools.Return(writer);
        return payload;
    }

    /// <summary>Decodes what a body threw. Takes over the payload, and disposes of it.</summary>
    /// <exception cref="PayloadException">It is malformed.</exception>
    internal static Exception Decode(ReceivedPayload payload) =>
        PayloadErrors.Read(payload, null, isResult: true, null, static (reader, _) => Read(reader, 0), 0);

    internal static void Write(GraphWriter writer, Exception exception, int depth)
    {
        Type type = exception.GetType();
        writer.WriteArrayHeader(Fields);
        writer.WriteString(type.FullName ?? type.Name);
        writer.WriteString(type.Assembly.GetName().Name);
        writer.WriteInt32(type.IsGenericType ? 0 : type.MetadataToken);
        writer.WriteString(Clip(Try(static e => e.Message, exception), MaximumMessage));
        writer.WriteString(Clip(Try(static e => e.StackTrace, exception), MaximumTrace));
        writer.WriteInt32(exception.HResult);
        writer.WriteInt32(exception is System.ComponentModel.Win32Exception coded ? coded.NativeErrorCode : 0);
        WriteData(writer, exception);
        WriteInner(writer, exception, depth);
    }

    // Message, StackTrace and Data are virtual: whatever they do, there must be an answer.
    private static string? Try(Func<Exception, string?> get, Exception exception)
    {
        try
        {
            return get(exception);
        }
        catch (Exception thrown)
        {
            return $"({exception.GetType().FullName} could not say more: a property of it threw {thrown.GetType().FullName})";
        }
    }

    private static string? Clip(string? text, int maximum) => text is null || text.Length <= maximum ? text : $"{text.AsSpan(0, maximum)}… ({text.Length - maximum} more characters)";

    private static void WriteData(GraphWriter writer, Exception exception)
    {
        var entries = new List<object?>();
        try
        {
            foreach (DictionaryEntry entry in exception.Data)
            {
                if (IsSimple(entry.Key) && (entry.Value is null || IsSimple(entry.Value)) && entries.Count < 2 * MaximumData)
                {
                    entries.Add(entry.Key);
                    entries.Add(entry.Value);
                }
            }
        }
        catch (Exception)
        {
            entries.Clear(); // an exception's own Data that throws is left out; the exception matters more
        }
        writer.WriteMapHeader(entries.Count / 2);
        Codec any = Codecs.For(typeof(object));
        foreach (object? entry in entries)
            any.WriteBoxed(writer, entry);
    }

    private static bool IsSimple(object value) => value is string text ? text.Length <= MaximumMessage : value is int or long or bool or double or Guid or DateTime or TimeSpan or decimal or char;

    private static void WriteInner(GraphWriter writer, Exception exception, int depth)
    {
        IReadOnlyList<Exception> inner = exception is AggregateException aggregate ? aggregate.InnerExceptions
            : exception.InnerException is { } one ? [one] : [];
        int count = depth >= MaximumDepth || writer.Position > MaximumTotal ? 0 : Math.Min(inner.Count, MaximumInner);
        writer.WriteArrayHeader(count);
        for (int i = 0; i < count; i++)
            Write(writer, inner[i], depth + 1);
    }

    internal static Exception Read(GraphReader reader, int depth)
    {
        if (depth > MaximumDepth)
            throw MessagePackReader.Malformed("exceptions are nested too deep");
        reader.ReadArrayHeader(Fields);
        var failure = new FailureText
        {
            TypeName = reader.ReadText(),
            AssemblyName = reader.ReadString(),
            Token = reader.ReadInt32(),
            Message = reader.ReadString() ?? "",
            StackTrace = reader.ReadString(),
            HResult = reader.ReadInt32(),
            Code = reader.ReadInt32(),
        };
        int entries = reader.ReadMapHeader();
        Codec any = Codecs.For(typeof(object));
        bool wasResult = reader.IsResult;
        reader.IsResult = true; // text about an error never names a type, whoever sent it
        for (int i = 0; i < entries; i++)
        {
            failure.Data.Add(any.ReadBoxed(reader) ?? throw MessagePackReader.Malformed("a key of an exception's data is missing"));
            failure.Data.Add(any.ReadBoxed(reader));
        }
        reader.IsResult = wasResult;
        int count = reader.ReadArrayHeader();
        for (int i = 0; i < count; i++)
            failure.Inner.Add(Read(reader, depth + 1));
        return failure.Rebuild();
    }
}
