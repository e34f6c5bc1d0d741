using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StartMethods.Payloads;

/// <summary>Arrays: numbers as memory, the rest element by element; of any rank.</summary>
internal static class ArrayContents
{
    internal static Content Create(Type type)
    {
        Type element = type.GetElementType()!;
        if (element.IsPointer)
            return new RefusedContent(type, "Addresses mean nothing in another process. Send the data itself.");
        if (IsMemory(element))
            return new MemoryArrayContent(type, RuntimeHelpers.SizeOf(element.TypeHandle));
        if (!type.IsSZArray)
            return new GeneralArrayContent(type);
        return element.IsValueType
            ? (Content)Activator.CreateInstance(typeof(ValueArrayContent<>).MakeGenericType(element), type)!
            : new ReferenceArrayContent(type);
    }

    /// <summary>Whether any bits are a valid value, so that an array may be copied as memory: numbers, enums, and structures of these.</summary>
    internal static bool IsMemory(Type type)
    {
        if (type.IsEnum)
            type = Enum.GetUnderlyingType(type);
        if (type.IsPrimitive)
            return type != typeof(bool) && type != typeof(nint) && type != typeof(nuint);
        return type.IsValueType && !type.IsByRefLike && !FrameworkTypes.Contains(type)
            && FieldsPlan.FieldsOf(type) is { Length: > 0 } fields && Array.TrueForAll(fields, static field => IsMemory(field.FieldType));
    }
}

/// <summary>An array whose memory is its content. Large ones are not copied: they travel beside the payload.</summary>
internal sealed class MemoryArrayContent(Type type, int elementSize) : Content(type)
{
    private readonly Type _element = type.GetElementType()!;

    internal override void Write(GraphWriter writer, object value, int id)
    {
        var array = (Array)value;
        if (!Type.IsSZArray)
            Dimensions.Write(writer, array);
        if (array.LongLength * elementSize > Array.MaxLength)
            throw new PayloadException($"A {TypeText.Short(Type)} of {array.LongLength} elements exceeds 2 GB. Send it in parts.");
        if (writer.TryWriteOutOfBand(array, elementSize))
            return;
        writer.WriteBinary(MemoryMarshal.CreateReadOnlySpan(ref MemoryMarshal.GetArrayDataReference(array), array.Length * elementSize));
    }

    internal override object Read(GraphReader reader, int id)
    {
        Dimensions? dimensions = Type.IsSZArray ? null : Dimensions.Read(reader, Type);
        if (reader.IsExtension(WireFormat.OutOfBand))
        {
            Memory<byte> buffer = reader.TakeBuffer();
            if (Type == typeof(byte[]) && MemoryMarshal.TryGetArray(buffer, out ArraySegment<byte> whole) && whole.Offset == 0 && whole.Count == whole.Array!.Length)
                return whole.Array;
            return Create(buffer.Span, dimensions);
        }
        return Create(reader.ReadBinary(), dimensions);
    }

    private Array Create(ReadOnlySpan<byte> bytes, Dimensions? dimensions)
    {
        int count = bytes.Length / elementSize;
        if (count * elementSize != bytes.Length || dimensions is not null && dimensions.Count != count)
            throw MessagePackReader.Malformed("an array has a wrong number of bytes");
        Array array = dimensions is not null ? dimensions.Create(_element)
            : Type == typeof(byte[]) ? LargeArray.Create(count) // all of it is written below: clearing a large one would cost as much again
            : Array.CreateInstanceFromArrayType(Type, count);
        bytes.CopyTo(MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(array), bytes.Length));
        return array;
    }
}

/// <summary>An array of structures with references in them, bools and the like.</summary>
internal sealed class ValueArrayContent<T>(Type type) : Content(type)
{
    internal override void Write(GraphWriter writer, object value, int id) => WriteElements(writer, (T[])value);

    /// <summary>An array header, and each element with its place in the path.</summary>
    internal static void WriteElements(GraphWriter writer, ReadOnlySpan<T> elements)
    {
        Codec<T> codec = Codecs.Typed<T>();
        writer.WriteArrayHeader(elements.Length);
        for (int i = 0; i < elements.Length; i++)
        {
            writer.Path?.EnterIndex(i);
            codec.Write(writer, elements[i]);
            writer.Path?.Leave();
        }
    }

    internal override object Read(GraphReader reader, int id)
    {
        Codec<T> codec = Codecs.Typed<T>();
        var array = new T[reader.ReadArrayHeader(codec)];
        reader.SetObject(id, array);
        for (int i = 0; i < array.Length; i++)
            array[i] = codec.Read(reader);
        return array;
    }
}

/// <summary>An array of objects, strings or arrays.</summary>
internal sealed class ReferenceArrayContent(Type type) : Content(type)
{
    private readonly Type _element = type.GetElementType()!;
    private Codec? _codec;

    internal override void Write(GraphWriter writer, object value, int id)
    {
        var array = (object?[])value;
        Codec codec = _codec ??= Codecs.For(_element);
        writer.WriteArrayHeader(array.Length);
        for (int i = 0; i < array.Length; i++)
        {
            writer.Path?.EnterIndex(i);
            codec.WriteBoxed(writer, array[i]);
            writer.Path?.Leave();
        }
    }

    internal override object Read(GraphReader reader, int id)
    {
        var array = (object?[])Array.CreateInstanceFromArrayType(Type, reader.ReadArrayHeader());
        reader.SetObject(id, array);
        Codec codec = _codec ??= Codecs.For(_element);
        for (int i = 0; i < array.Length; i++)
            array[i] = codec.ReadBoxed(reader);
        return array;
    }
}

/// <summary>An array of several dimensions, or one that does not start at 0, whose elements are no plain memory.</summary>
internal sealed class GeneralArrayContent(Type type) : Content(type)
{
    private readonly Type _element = type.GetElementType()!;

    internal override void Write(GraphWriter writer, object value, int id)
    {
        var array = (Array)value;
        Codec codec = Codecs.For(_element);
        Dimensions.Write(writer, array);
        writer.WriteArrayHeader(array.Length);
        int index = 0;
        foreach (object? element in array)
        {
            writer.Path?.EnterIndex(index++);
            codec.WriteBoxed(writer, element);
            writer.Path?.Leave();
        }
    }

    internal override object Read(GraphReader reader, int id)
    {
        Dimensions dimensions = Dimensions.Read(reader, Type);
        int count = reader.ReadArrayHeader();
        if (dimensions.Count != count)
            throw MessagePackReader.Malformed("an array has a wrong number of elements");
        Array array = dimensions.Create(_element);
        reader.SetObject(id, array);
        Codec codec = Codecs.For(_element);
        int[] indexes = dimensions.First();
        for (int i = 0; i < count; i++)
        {
            array.SetValue(codec.ReadBoxed(reader), indexes);
            dimensions.Advance(indexes);
        }
        return array;
    }
}
