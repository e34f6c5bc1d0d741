namespace StartMethods.Payloads;

/// <summary>The codec for each declared type, made at its first use.</summary>
internal static class Codecs
{
    private static readonly TypeMap<Codec> Known = new(Create);

    internal static Codec For(Type type) => Known[type];

    /// <summary>The codec that does not box; only for value types and strings, whose code must be generated per type anyway.</summary>
    internal static Codec<T> Typed<T>() => PerType<T>.Instance;

    private static class PerType<T>
    {
        internal static readonly Codec<T> Instance = For(typeof(T)) switch
        {
            Codec<T> codec => codec,
            EnumCodec => new EnumCodec<T>(),
            StructCodec codec => new StructCodec<T>(codec),
            Codec codec => new UnboxingCodec<T>(codec),
        };
    }

    private static Codec Create(Type type)
    {
        if (Scalars.Create(type) is { } scalar)
            return scalar;
        if (type.IsPointer || type.IsByRef || type.IsByRefLike || type.IsFunctionPointer)
            return new RefusedCodec(type, "Addresses mean nothing in another process. Send the data itself.");
        if (!type.IsValueType)
            return new ReferenceCodec(type);
        if (type.IsEnum)
            return new EnumCodec(type);
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            return new NullableCodec(For(underlying));
        if (type.IsGenericType && MemoryCodecs.Create(type, type.GetGenericTypeDefinition()) is { } memory)
            return memory;
        if (Refusals.ReasonFor(type) is { } reason)
            return new RefusedCodec(type, reason);
        return BufferCodec.IsBuffer(type) ? BufferCodec.Create(type) : new StructCodec(type);
    }
}

/// <summary>A typed face for a codec that boxes.</summary>
internal sealed class UnboxingCodec<T>(Codec codec) : Codec<T>
{
    internal override void Write(GraphWriter writer, T value) => codec.WriteBoxed(writer, value);

    internal override T Read(GraphReader reader) => (T)codec.ReadBoxed(reader)!;
}

/// <summary>Stands for a type that cannot travel. Null can, so the error comes only when there is a value.</summary>
internal sealed class RefusedCodec(Type type, string reason) : Codec
{
    internal override void WriteBoxed(GraphWriter writer, object? value) => throw Refusals.Refuse(type, reason);

    internal override object ReadBoxed(GraphReader reader) => throw Refusals.Refuse(type, reason);
}

/// <summary>Stands for a class that cannot travel.</summary>
internal sealed class RefusedContent(Type type, string reason) : Content(type)
{
    internal override bool IsTracked => false;

    internal override void Write(GraphWriter writer, object value, int id) => throw Refusals.Refuse(Type, reason);

    internal override object Read(GraphReader reader, int id) => throw Refusals.Refuse(Type, reason);
}

/// <summary>A value or nil.</summary>
internal sealed class NullableCodec(Codec inner) : Codec
{
    internal override void WriteBoxed(GraphWriter writer, object? value)
    {
        if (value is null)
            writer.WriteNil();
        else
            inner.WriteBoxed(writer, value);
    }

    internal override object? ReadBoxed(GraphReader reader) => reader.TryReadNil() ? null : inner.ReadBoxed(reader);
}

/// <summary>An enum as its number. The runtime unboxes an enum as its underlying type.</summary>
internal sealed class EnumCodec(Type type) : Codec
{
    private readonly Codec _underlying = Codecs.For(Enum.GetUnderlyingType(type));

    internal override void WriteBoxed(GraphWriter writer, object? value) => _underlying.WriteBoxed(writer, value);

    internal override object ReadBoxed(GraphReader reader) => Enum.ToObject(type, _underlying.ReadBoxed(reader)!);
}

/// <inheritdoc cref="EnumCodec"/>
internal sealed class EnumCodec<T> : Codec<T>
{
    private readonly Codec _underlying = Codecs.For(Enum.GetUnderlyingType(typeof(T)));

    internal override void Write(GraphWriter writer, T value)
    {
        if (_underlying is Codec<int> codec)
            codec.Write(writer, System.Runtime.CompilerServices.Unsafe.BitCast<T, int>(value));
        else
            _underlying.WriteBoxed(writer, value);
    }

    internal override T Read(GraphReader reader) => _underlying is Codec<int> codec
        ? System.Runtime.CompilerServices.Unsafe.BitCast<int, T>(codec.Read(reader))
        : (T)Enum.ToObject(typeof(T), _underlying.ReadBoxed(reader)!);
}
