using System.Runtime.CompilerServices;

namespace StartMethods.Payloads;

// One method each: the code of a method that names a codec loads it, and a child meets few of them.
internal static partial class Scalars
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<bool> Booleans() => new(static (w, v) => w.WriteBoolean(v), static r => r.ReadBoolean());

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<char> Chars() => new(static (w, v) => w.WriteInt32(v), static r => (char)r.ReadInt32(0, char.MaxValue));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<sbyte> SBytes() => new(static (w, v) => w.WriteInt32(v), static r => (sbyte)r.ReadInt32(sbyte.MinValue, sbyte.MaxValue));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<byte> Bytes() => new(static (w, v) => w.WriteInt32(v), static r => (byte)r.ReadInt32(0, byte.MaxValue));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<short> Int16s() => new(static (w, v) => w.WriteInt32(v), static r => (short)r.ReadInt32(short.MinValue, short.MaxValue));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<ushort> UInt16s() => new(static (w, v) => w.WriteInt32(v), static r => (ushort)r.ReadInt32(0, ushort.MaxValue));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<int> Int32s() => new(static (w, v) => w.WriteInt32(v), static r => r.ReadInt32());

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<uint> UInt32s() => new(static (w, v) => w.WriteUInt64(v), ReadUInt32);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<long> Int64s() => new(static (w, v) => w.WriteInt64(v), static r => r.ReadInt64());

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<ulong> UInt64s() => new(static (w, v) => w.WriteUInt64(v), static r => r.ReadUInt64());

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<float> Singles() => new(static (w, v) => w.WriteSingle(v), static r => r.ReadSingle());

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<double> Doubles() => new(static (w, v) => w.WriteDouble(v), static r => r.ReadDouble());

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<string?> Strings() => new(static (w, v) => w.WriteString(v), static r => r.ReadString());

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<decimal> Decimals() => new(WriteDecimal, ReadDecimal);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ScalarCodec<DateTime> DateTimes() => new(WriteDateTime, ReadDateTime);
}
