using System.Buffers;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StartMethods.Payloads;

/// <summary>Structures that are a view of an array. Each travels as the elements that it shows.</summary>
internal static class MemoryCodecs
{
    internal static Codec? Create(Type type, Type definition)
    {
        Type? codec = definition == typeof(Memory<>) ? typeof(MemoryCodec<>)
            : definition == typeof(ReadOnlyMemory<>) ? typeof(ReadOnlyMemoryCodec<>)
            : definition == typeof(ArraySegment<>) ? typeof(ArraySegmentCodec<>)
            : definition.FullName == "System.Collections.Immutable.ImmutableArray`1" ? ImmutableArrays()
            : null;
        return codec is null ? null : (Codec)Activator.CreateInstance(codec.MakeGenericType(type.GetGenericArguments()))!;
    }

    // Kept apart so that System.Collections.Immutable is loaded only where such an array travels.
    private static Type ImmutableArrays() => typeof(ImmutableArrayCodec<>);
}

internal sealed class MemoryCodec<T> : Codec<Memory<T>>
{
    internal override void Write(GraphWriter writer, Memory<T> value) => MemoryElements<T>.Write(writer, value);

    internal override Memory<T> Read(GraphReader reader) => MemoryElements<T>.Read(reader);
}

internal sealed class ReadOnlyMemoryCodec<T> : Codec<ReadOnlyMemory<T>>
{
    internal override void Write(GraphWriter writer, ReadOnlyMemory<T> value) => MemoryElements<T>.Write(writer, value);

    internal override ReadOnlyMemory<T> Read(GraphReader reader) => MemoryElements<T>.Read(reader);
}

internal sealed class ArraySegmentCodec<T> : Codec<ArraySegment<T>>
{
    internal override void Write(GraphWriter writer, ArraySegment<T> value)
    {
        if (value.Array is null)
            writer.WriteNil();
        else
            MemoryElements<T>.Write(writer, value);
    }

    internal override ArraySegment<T> Read(GraphReader reader)
    {
        if (reader.TryReadNil())
            return default;
        Memory<T> memory = MemoryElements<T>.Read(reader);
        return MemoryMarshal.TryGetArray((ReadOnlyMemory<T>)memory, out ArraySegment<T> segment) ? segment : new ArraySegment<T>(memory.ToArray());
    }
}

internal sealed class ImmutableArrayCodec<T> : Codec<ImmutableArray<T>>
{
    private readonly ReferenceCodec _array = (ReferenceCodec)Codecs.For(typeof(T[]));

    internal override void Write(GraphWriter writer, ImmutableArray<T> value) => writer.WriteReference(ImmutableCollectionsMarshal.AsArray(value), _array);

    internal override ImmutableArray<T> Read(GraphReader reader) => ImmutableCollectionsMarshal.AsImmutableArray((T[]?)reader.ReadReference(_array));
}

/// <summary>The elements of a view: as memory if they are numbers, beside the payload if they are many.</summary>
internal static class MemoryElements<T>
{
    private static readonly bool IsMemory = ArrayContents.IsMemory(typeof(T));

    internal static void Write(GraphWriter writer, ReadOnlyMemory<T> value)
    {
        if (!IsMemory)
        {
            Codec<T> codec = Codecs.Typed<T>();
            writer.WriteArrayHeader(value.Length);
            for (int i = 0; i < value.Length; i++)
            {
                writer.Path?.EnterIndex(i);
                codec.Write(writer, value.Span[i]);
                writer.Path?.Leave();
            }
            return;
        }
        long bytes = (long)value.Length * Unsafe.SizeOf<T>();
        if (bytes > Array.MaxLength)
            throw new PayloadException($"A {TypeText.Short(typeof(ReadOnlyMemory<T>))} of {value.Length} elements exceeds 2 GB. Send it in parts.");
        if (typeof(T) == typeof(byte) && writer.TryWriteOutOfBand((ReadOnlyMemory<byte>)(object)value))
            return;
        if (typeof(T) != typeof(byte) && MemoryMarshal.TryGetArray(value, out ArraySegment<T> segment)
            && writer.TryWriteOutOfBand(segment.Array!, segment.Offset * Unsafe.SizeOf<T>(), (int)bytes))
            return;
        writer.WriteBinary(Bytes(value.Span));
    }

    internal static Memory<T> Read(GraphReader reader)
    {
        if (!IsMemory)
        {
            Codec<T> codec = Codecs.Typed<T>();
            var elements = new T[reader.ReadArrayHeader(codec)];
            for (int i = 0; i < elements.Length; i++)
                elements[i] = codec.Read(reader);
            return elements;
        }
        if (!reader.IsExtension(WireFormat.OutOfBand))
            return Elements(reader.ReadBinary());
        Memory<byte> buffer = reader.TakeBuffer();
        return typeof(T) == typeof(byte) ? (Memory<T>)(object)buffer : Elements(buffer.Span);
    }

    // T has no references: IsMemory was asked.
    internal static ReadOnlySpan<byte> Bytes(ReadOnlySpan<T> span) =>
        MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<T, byte>(ref MemoryMarshal.GetReference(span)), span.Length * Unsafe.SizeOf<T>());

    internal static T[] Elements(ReadOnlySpan<byte> bytes)
    {
        int count = bytes.Length / Unsafe.SizeOf<T>();
        if (count * Unsafe.SizeOf<T>() != bytes.Length)
            throw MessagePackReader.Malformed("a view of an array has a wrong number of bytes");
        var elements = new T[count];
        bytes.CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.As<T, byte>(ref MemoryMarshal.GetArrayDataReference(elements)), bytes.Length));
        return elements;
    }
}

/// <summary>The bytes of part of an array of numbers, for the channel to send without a copy.</summary>
internal sealed class ArrayBytes(Array array, int offset, int length) : MemoryManager<byte>
{
    public override Span<byte> GetSpan() => MemoryMarshal.CreateSpan(ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(array), offset), length);

    public override unsafe MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)length);
        GCHandle handle = GCHandle.Alloc(array, GCHandleType.Pinned);
        return new MemoryHandle(Unsafe.AsPointer(ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(array), offset + elementIndex)), handle);
    }

    public override void Unpin() { } // the handle unpins itself

    protected override void Dispose(bool disposing) { }
}
