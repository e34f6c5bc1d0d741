namespace StartMethods.Payloads;

/// <summary>
/// How a value is written where one declared type stands: a field, an element, an argument. A codec for a value type or a string writes the
/// value itself; <see cref="ReferenceCodec"/> stands for every other class and interface and adds null, references and actual types.
/// </summary>
/// <remarks>The untyped members box. They are what a fresh process runs, because they need no code to be generated.</remarks>
internal abstract class Codec
{
    internal abstract void WriteBoxed(GraphWriter writer, object? value);

    internal abstract object? ReadBoxed(GraphReader reader);

    /// <summary>How many bytes a value takes at least: what an announced number of values is checked against before they are allocated.</summary>
    internal virtual int MinimumSize => 1;
}

/// <summary>A codec that does not box.</summary>
internal abstract class Codec<T> : Codec
{
    internal abstract void Write(GraphWriter writer, T value);

    internal abstract T Read(GraphReader reader);

    internal override void WriteBoxed(GraphWriter writer, object? value) => Write(writer, (T)value!);

    internal override object? ReadBoxed(GraphReader reader) => Read(reader);
}

/// <summary>How the instances of exactly one type are written, once it is settled that there is a new instance of it here.</summary>
internal abstract class Content(Type type)
{
    internal Type Type { get; } = type;

    /// <summary>What a reader is told where <paramref name="declared"/> stands: a public base if the actual type is the framework's own affair.</summary>
    internal virtual Type WireType(Type declared) => Type;

    /// <summary>Whether an instance has an identity that others may refer to, and thus a number.</summary>
    internal virtual bool IsTracked => true;

    /// <summary>Whether the instance exists before its content is read. If not, no cycle may lead through it.</summary>
    internal virtual bool ExistsEarly => true;

    /// <summary>Whether the content may stand behind the graph, so that depth does not cost stack: <see cref="Allocate"/> and <see cref="Fill"/>.</summary>
    internal virtual bool IsDeferrable => false;

    internal abstract void Write(GraphWriter writer, object value, int id);

    /// <summary>Reads a new instance. If it <see cref="ExistsEarly"/>, it is made known under <paramref name="id"/> before its content is read.</summary>
    internal virtual object Read(GraphReader reader, int id)
    {
        object value = Allocate();
        reader.SetObject(id, value);
        Fill(reader, value);
        return value;
    }

    internal virtual object Allocate() => throw new NotSupportedException($"{Type} is created whole");

    internal virtual void Fill(GraphReader reader, object value) => throw new NotSupportedException($"{Type} is created whole");
}

/// <summary>A value type where its declared type says less (<c>object</c>, an interface): written by its codec, without identity.</summary>
internal sealed class BoxedContent(Type type, Codec codec) : Content(type)
{
    internal override bool IsTracked => false;

    internal override void Write(GraphWriter writer, object value, int id) => codec.WriteBoxed(writer, value);

    internal override object Read(GraphReader reader, int id) => codec.ReadBoxed(reader)!;
}

/// <summary>Where a declared class, interface or array type stands.</summary>
internal sealed class ReferenceCodec(Type declared) : Codec
{
    private Content? _exact;

    internal Type Declared { get; } = declared;

    /// <summary>Whether every instance is of the declared type itself, so that no type needs to be said.</summary>
    internal bool IsExact { get; } = IsSealed(declared);

    internal bool IsObject { get; } = declared == typeof(object);

    /// <summary>Whether a serializer of the user is asked: not for code and what the compiler keeps its variables in, even if it would take anything.</summary>
    internal bool MayBeForeign { get; } = declared != typeof(object) && !ClosureContent.IsClosure(declared) && !typeof(Delegate).IsAssignableFrom(declared);

    /// <summary>The items that are declared, if this is a list interface of the framework; else null.</summary>
    internal Type? ElementType { get; } = declared is { IsInterface: true, IsGenericType: true } && declared.IsAssignableFrom(declared.GetGenericArguments()[0].MakeArrayType()) ? declared.GetGenericArguments()[0] : null;

    internal Content Exact => _exact ??= Contents.For(Declared);

    internal override void WriteBoxed(GraphWriter writer, object? value) => writer.WriteReference(value, this);

    internal override object? ReadBoxed(GraphReader reader) => reader.ReadReference(this);

    // A sealed element type makes an array exact, too, except that uint[] may stand where int[] is declared: those say their type.
    private static bool IsSealed(Type type)
    {
        if (!type.IsArray)
            return type.IsSealed;
        Type element = type.GetElementType()!;
        return element.IsValueType ? !element.IsPrimitive && !element.IsEnum || element == typeof(byte) : IsSealed(element);
    }
}
