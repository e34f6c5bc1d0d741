using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StartMethods.Payloads;

/// <summary>A structure that is larger than its one field says, an inline array or a fixed buffer: all of its memory.</summary>
internal sealed class BufferCodec(Type type) : Codec
{
    private readonly int _size = RuntimeHelpers.SizeOf(type.TypeHandle);

    internal override int MinimumSize => 2 + _size;

    internal static bool IsBuffer(Type type) => type.IsDefined(typeof(InlineArrayAttribute), false) || type.IsDefined(typeof(UnsafeValueTypeAttribute), false);

    internal static Codec Create(Type type) => Array.TrueForAll(FieldsPlan.FieldsOf(type), static field => ArrayContents.IsMemory(field.FieldType))
        ? new BufferCodec(type)
        : new RefusedCodec(type, "Inline arrays travel only if their elements are numbers. Send an array.");

    internal override void WriteBoxed(GraphWriter writer, object? value)
    {
        Array one = Array.CreateInstance(type, 1);
        one.SetValue(value, 0);
        writer.WriteBinary(MemoryMarshal.CreateReadOnlySpan(ref MemoryMarshal.GetArrayDataReference(one), _size));
    }

    internal override object ReadBoxed(GraphReader reader)
    {
        Array one = Array.CreateInstance(type, 1);
        reader.ReadBinary(_size).CopyTo(MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(one), _size));
        return one.GetValue(0)!;
    }
}
