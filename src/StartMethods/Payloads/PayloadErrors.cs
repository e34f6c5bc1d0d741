namespace StartMethods.Payloads;

/// <summary>The frame around every encoder and decoder: whatever goes wrong inside is a <see cref="PayloadException"/> that says where.</summary>
internal static class PayloadErrors
{
    /// <summary>
    /// Names the value that an encoder stumbled over, by encoding once more while keeping track of the way. So the way costs nothing as
    /// long as all goes well.
    /// </summary>
    internal static Exception Locate(Exception error, Action<GraphWriter> write, IPayloadSerializer? serializer, bool isResult)
    {
        var path = new PayloadPath();
        var writer = new GraphWriter { Path = path, Serializer = serializer, IsResult = isResult };
        try
        {
            write(writer);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            error = e;
        }
        string where = path.ToString();
        bool isRefusal = error is PayloadException;
        string message = isRefusal ? error.Message : $"Reading the value failed: {error.GetType().Name}: {SafeMessage(error)}";
        Exception? cause = isRefusal ? error.InnerException : error;
        return where.Length == 0 ? new PayloadException(message, cause) : new PayloadException($"{where}: {message}", where, cause);
    }

    internal static string SafeMessage(Exception e)
    {
        try
        {
            return e.Message;
        }
        catch (Exception thrown)
        {
            return $"(its Message threw {thrown.GetType().Name})";
        }
    }

    internal static TResult Read<TState, TResult>(ReceivedPayload payload, PayloadSession? session, bool isResult, IPayloadSerializer? serializer,
        Func<GraphReader, TState, TResult> read, TState state)
    {
        using (payload)
        {
            GraphReader reader = PayloadPools.RentReader(session);
            try
            {
                reader.IsResult = isResult;
                reader.Serializer = serializer;
                reader.Begin(payload);
                int version = reader.ReadInt32();
                if (version != WireFormat.Version)
                    throw MessagePackReader.Malformed($"it has version {version}, and this library speaks version {WireFormat.Version}");
                TResult result = read(reader, state);
                if (reader.Remaining > 0)
                    throw MessagePackReader.Malformed($"{reader.Remaining} bytes follow its end");
                PayloadPools.Return(reader);
                return result;
            }
            catch (Exception e)
            {
                payload.DisposeTaken();
                // Constructors and setters that were given what arrived may throw anything; to the caller it is one error.
                if (e is PayloadException or OutOfMemoryException)
                    throw;
                throw new PayloadException($"A payload that arrived cannot be turned into a value: {e.GetType().Name}: {SafeMessage(e)}", e);
            }
        }
    }
}

/// <summary>Writers and readers for reuse: one of each per thread.</summary>
internal static class PayloadPools
{
    [ThreadStatic] private static GraphWriter? t_writer;
    [ThreadStatic] private static GraphReader? t_reader;

    internal static GraphWriter Rent(PayloadSession? session)
    {
        GraphWriter writer = t_writer ?? new GraphWriter();
        t_writer = null; // a serializer or a getter may encode while we do
        writer.Session = session;
        return writer;
    }

    internal static void Return(GraphWriter writer)
    {
        writer.Reset();
        t_writer = writer;
    }

    internal static GraphReader RentReader(PayloadSession? session)
    {
        GraphReader reader = t_reader ?? new GraphReader();
        t_reader = null;
        reader.Session = session;
        return reader;
    }

    internal static void Return(GraphReader reader)
    {
        reader.Reset();
        t_reader = reader;
    }
}
