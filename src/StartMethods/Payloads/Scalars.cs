using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace StartMethods.Payloads;

/// <summary>A value that is one MessagePack value, by two functions.</summary>
internal sealed class ScalarCodec<T>(Action<GraphWriter, T> write, Func<GraphReader, T> read) : Codec<T>
{
    internal override void Write(GraphWriter writer, T value) => write(writer, value);

    internal override T Read(GraphReader reader) => read(reader);
}

/// <summary>The primitives and the value types of the framework that have rules of their own; every reader checks them.</summary>
internal static partial class Scalars
{
    internal static Codec? Create(Type type)
    {
        if (type.IsEnum)
            return null;
        return Type.GetTypeCode(type) switch
        {
            TypeCode.Boolean => Booleans(),
            TypeCode.Char => Chars(),
            TypeCode.SByte => SBytes(),
            TypeCode.Byte => Bytes(),
            TypeCode.Int16 => Int16s(),
            TypeCode.UInt16 => UInt16s(),
            TypeCode.Int32 => Int32s(),
            TypeCode.UInt32 => UInt32s(),
            TypeCode.Int64 => Int64s(),
            TypeCode.UInt64 => UInt64s(),
            TypeCode.Single => Singles(),
            TypeCode.Double => Doubles(),
            TypeCode.String => Strings(),
            TypeCode.Decimal => Decimals(),
            TypeCode.DateTime => DateTimes(),
            _ => type.IsValueType && !type.IsGenericType && type.Namespace is "System" or "System.Numerics" or "System.Text" or "System.Threading" ? CreateOther(type) : null,
        };
    }

    private static Codec? CreateOther(Type type) => type.FullName switch
    {
        "System.Guid" => new ScalarCodec<Guid>(WriteGuid, static r => new Guid(r.ReadBinary(16))),
        "System.TimeSpan" => new ScalarCodec<TimeSpan>(static (w, v) => w.WriteInt64(v.Ticks), static r => new TimeSpan(r.ReadInt64())),
        "System.DateTimeOffset" => new ScalarCodec<DateTimeOffset>(WriteDateTimeOffset, ReadDateTimeOffset),
        "System.DateOnly" => new ScalarCodec<DateOnly>(static (w, v) => w.WriteInt32(v.DayNumber), static r => DateOnly.FromDayNumber(r.ReadInt32(0, DateOnly.MaxValue.DayNumber))),
        "System.TimeOnly" => new ScalarCodec<TimeOnly>(static (w, v) => w.WriteInt64(v.Ticks), static r => new TimeOnly(r.ReadInt64())),
        "System.Half" => new ScalarCodec<Half>(static (w, v) => w.WriteInt32(BitConverter.HalfToUInt16Bits(v)), static r => BitConverter.UInt16BitsToHalf((ushort)r.ReadInt32(0, ushort.MaxValue))),
        "System.Numerics.BigInteger" => BigIntegers(),
        "System.Text.Rune" => new ScalarCodec<Rune>(static (w, v) => w.WriteInt32(v.Value), ReadRune),
        "System.Index" => new ScalarCodec<Index>(static (w, v) => w.WriteInt32(v.IsFromEnd ? ~v.Value : v.Value), static r => r.ReadInt32() is var n && n >= 0 ? new Index(n) : new Index(~n, true)),
        "System.Threading.CancellationToken" => new ScalarCodec<CancellationToken>(WriteToken, ReadToken),
        _ => null,
    };

    // Kept apart so that System.Runtime.Numerics is loaded only where such a number travels.
    private static ScalarCodec<BigInteger> BigIntegers() =>
        new(static (w, v) => w.WriteBinary(v.ToByteArray()), static r => new BigInteger(r.ReadBinary()));

    private static uint ReadUInt32(GraphReader reader) =>
        reader.ReadUInt64() is <= uint.MaxValue and var value ? (uint)value : throw MessagePackReader.Malformed("a number is no UInt32");

    private static void WriteGuid(GraphWriter writer, Guid value)
    {
        writer.WriteBinaryHeader(16);
        value.TryWriteBytes(writer.WriteRaw(16));
    }

    private static void WriteDecimal(GraphWriter writer, decimal value)
    {
        Span<int> bits = stackalloc int[4];
        decimal.GetBits(value, bits);
        writer.WriteBinary(MemoryMarshal.AsBytes(bits));
    }

    private static decimal ReadDecimal(GraphReader reader) => new(MemoryMarshal.Cast<byte, int>(reader.ReadBinary(16)));

    // The kind is part of the value; ToBinary would shift local times between time zones.
    private static void WriteDateTime(GraphWriter writer, DateTime value)
    {
        writer.WriteArrayHeader(2);
        writer.WriteInt64(value.Ticks);
        writer.WriteInt32((int)value.Kind);
    }

    private static DateTime ReadDateTime(GraphReader reader)
    {
        reader.ReadArrayHeader(2);
        return new DateTime(reader.ReadInt64(), (DateTimeKind)reader.ReadInt32(0, 2));
    }

    private static void WriteDateTimeOffset(GraphWriter writer, DateTimeOffset value)
    {
        writer.WriteArrayHeader(2);
        writer.WriteInt64(value.Ticks);
        writer.WriteInt32(value.TotalOffsetMinutes);
    }

    private static DateTimeOffset ReadDateTimeOffset(GraphReader reader)
    {
        reader.ReadArrayHeader(2);
        return new DateTimeOffset(reader.ReadInt64(), TimeSpan.FromMinutes(reader.ReadInt32(-840, 840)));
    }

    private static Rune ReadRune(GraphReader reader) =>
        Rune.TryCreate(reader.ReadInt32(), out Rune value) ? value : throw MessagePackReader.Malformed("a number is no Unicode scalar value");

    private static void WriteToken(GraphWriter writer, CancellationToken value)
    {
        if (value.CanBeCanceled)
        {
            throw Refusals.Refuse(typeof(CancellationToken), "A captured token cannot be cancelled across processes. "
                + "Give the body a CancellationToken parameter: it is cancelled in the child when the token given to the call is.");
        }
        writer.WriteNil();
    }

    private static CancellationToken ReadToken(GraphReader reader)
    {
        reader.ReadNil();
        return CancellationToken.None;
    }
}
