using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace StartMethods.Payloads;

/// <summary>Writes MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) into a pooled buffer, integers in their shortest form.</summary>
internal class MessagePackWriter
{
    private const int InitialSize = 512;
    private byte[] _buffer = [];
    private int _position;

    internal int Position => _position;

    internal ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _position);

    /// <summary>Hands the pooled buffer over to the caller, who returns it to <see cref="ArrayPool{T}.Shared"/>.</summary>
    internal byte[] Detach(out int length)
    {
        byte[] buffer = _buffer;
        length = _position;
        _buffer = [];
        _position = 0;
        return buffer;
    }

    /// <summary>Forgets what was written, keeping the buffer unless it grew large.</summary>
    internal void ResetBuffer()
    {
        _position = 0;
        if (_buffer.Length <= 64 * 1024)
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Span<byte> Reserve(int count)
    {
        int position = _position;
        if ((uint)_buffer.Length - (uint)position < (uint)count)
            Grow(count);
        _position = position + count;
        return _buffer.AsSpan(position, count);
    }

    private void Grow(int count)
    {
        long needed = (long)_position + count;
        if (needed > Array.MaxLength)
            throw new PayloadException("The payload exceeds 2 GB. Large data travels as byte[] or another array of numbers, which are not copied into the payload.");
        byte[] larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Array.MaxLength, Math.Max(Math.Max(needed, InitialSize), 2L * _buffer.Length)));
        _buffer.AsSpan(0, _position).CopyTo(larger);
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void WriteByte(byte value) => Reserve(1)[0] = value;

    internal void WriteNil() => WriteByte(0xC0);

    internal void WriteBoolean(bool value) => WriteByte(value ? (byte)0xC3 : (byte)0xC2);

    internal void WriteInt32(int value)
    {
        if ((uint)value < 128)
            WriteByte((byte)value);
        else
            WriteInt64(value);
    }

    internal void WriteInt64(long value)
    {
        if (value >= 0)
        {
            WriteUInt64((ulong)value);
        }
        else if (value >= -32)
        {
            WriteByte((byte)value);
        }
        else if (value >= sbyte.MinValue)
        {
            Span<byte> span = Reserve(2);
            span[1] = (byte)value;
            span[0] = 0xD0;
        }
        else if (value >= short.MinValue)
        {
            Span<byte> span = Reserve(3);
            span[0] = 0xD1;
            BinaryPrimitives.WriteInt16BigEndian(span[1..], (short)value);
        }
        else if (value >= int.MinValue)
        {
            Span<byte> span = Reserve(5);
            span[0] = 0xD2;
            BinaryPrimitives.WriteInt32BigEndian(span[1..], (int)value);
        }
        else
        {
            Span<byte> span = Reserve(9);
            span[0] = 0xD3;
            BinaryPrimitives.WriteInt64BigEndian(span[1..], value);
        }
    }

    internal void WriteUInt64(ulong value)
    {
        if (value < 128)
            WriteByte((byte)value);
        else if (value <= byte.MaxValue)
            WriteCoded8(0xCC, (byte)value);
        else if (value <= ushort.MaxValue)
            WriteCoded16(0xCD, (ushort)value);
        else if (value <= uint.MaxValue)
            WriteCoded32(0xCE, (uint)value);
        else
            BinaryPrimitives.WriteUInt64BigEndian(CodedSpan(0xCF, 8), value);
    }

    internal void WriteSingle(float value) => WriteCoded32(0xCA, BitConverter.SingleToUInt32Bits(value));

    internal void WriteDouble(double value) => BinaryPrimitives.WriteUInt64BigEndian(CodedSpan(0xCB, 8), BitConverter.DoubleToUInt64Bits(value));

    internal void WriteString(string? value)
    {
        if (value is null)
            WriteNil();
        else
            WriteString(value.AsSpan());
    }

    internal void WriteString(ReadOnlySpan<char> value)
    {
        int start = _position, maximum = checked(value.Length * 3);
        if (value.Length > 1024 * 1024)
            maximum = Encoding.UTF8.GetByteCount(value); // counting first beats a buffer of three times the size
        int header = maximum < 32 ? 1 : maximum <= byte.MaxValue ? 2 : maximum <= ushort.MaxValue ? 3 : 5;
        Span<byte> span = Reserve(header + maximum);
        if (Utf8.FromUtf16(value, span[header..], out _, out int length, replaceInvalidSequences: false) != OperationStatus.Done)
        {
            _position = start;
            WriteExtension(WireFormat.Utf16, MemoryMarshal.AsBytes(value));
            return;
        }
        WriteLength(span, header, length, 0xA0, 0xD9);
        _position = start + header + length;
    }

    // The header's size was chosen by the longest possible text; a shorter text in a wider header is still well-formed.
    private static void WriteLength(Span<byte> span, int header, int length, byte small, byte first)
    {
        switch (header)
        {
            case 1: span[0] = (byte)(small | length); break;
            case 2: span[0] = first; span[1] = (byte)length; break;
            case 3: span[0] = (byte)(first + 1); BinaryPrimitives.WriteUInt16BigEndian(span[1..], (ushort)length); break;
            default: span[0] = (byte)(first + 2); BinaryPrimitives.WriteInt32BigEndian(span[1..], length); break;
        }
    }

    internal void WriteBinary(ReadOnlySpan<byte> value)
    {
        WriteBinaryHeader(value.Length);
        WriteRaw(value);
    }

    internal void WriteBinaryHeader(int length)
    {
        if (length <= byte.MaxValue)
            WriteCoded8(0xC4, (byte)length);
        else if (length <= ushort.MaxValue)
            WriteCoded16(0xC5, (ushort)length);
        else
            WriteCoded32(0xC6, (uint)length);
    }

    internal void WriteRaw(ReadOnlySpan<byte> value) => value.CopyTo(Reserve(value.Length));

    /// <summary>Room for <paramref name="count"/> bytes that the caller fills at once.</summary>
    internal Span<byte> WriteRaw(int count) => Reserve(count);

    internal void WriteArrayHeader(int count)
    {
        if (count < 16)
            WriteByte((byte)(0x90 | count));
        else if (count <= ushort.MaxValue)
            WriteCoded16(0xDC, (ushort)count);
        else
            WriteCoded32(0xDD, (uint)count);
    }

    internal void WriteMapHeader(int count)
    {
        if (count < 16)
            WriteByte((byte)(0x80 | count));
        else if (count <= ushort.MaxValue)
            WriteCoded16(0xDE, (ushort)count);
        else
            WriteCoded32(0xDF, (uint)count);
    }

    /// <summary>An extension whose body is a number, in 1, 2 or 4 bytes.</summary>
    internal void WriteExtension(sbyte type, int number)
    {
        if ((uint)number <= byte.MaxValue)
        {
            Span<byte> span = Reserve(3);
            span[2] = (byte)number;
            span[1] = (byte)type;
            span[0] = 0xD4;
        }
        else if ((uint)number <= ushort.MaxValue)
        {
            Span<byte> span = Reserve(4);
            span[0] = 0xD5;
            span[1] = (byte)type;
            BinaryPrimitives.WriteUInt16BigEndian(span[2..], (ushort)number);
        }
        else
        {
            Span<byte> span = Reserve(6);
            span[0] = 0xD6;
            span[1] = (byte)type;
            BinaryPrimitives.WriteInt32BigEndian(span[2..], number);
        }
    }

    internal void WriteExtension(sbyte type, ReadOnlySpan<byte> body)
    {
        int start = BeginExtension(type);
        WriteRaw(body);
        EndExtension(start);
    }

    /// <summary>Begins an extension of unknown length, with the widest header; <see cref="EndExtension"/> fills the length in.</summary>
    internal int BeginExtension(sbyte type)
    {
        Span<byte> span = Reserve(6);
        span[0] = 0xC9;
        span[5] = (byte)type;
        return _position;
    }

    internal void EndExtension(int start) =>
        BinaryPrimitives.WriteInt32BigEndian(_buffer.AsSpan(start - 5, 4), _position - start);

    private void WriteCoded8(byte code, byte value)
    {
        Span<byte> span = Reserve(2);
        span[1] = value;
        span[0] = code;
    }

    private void WriteCoded16(byte code, ushort value) => BinaryPrimitives.WriteUInt16BigEndian(CodedSpan(code, 2), value);

    private void WriteCoded32(byte code, uint value) => BinaryPrimitives.WriteUInt32BigEndian(CodedSpan(code, 4), value);

    private Span<byte> CodedSpan(byte code, int size)
    {
        Span<byte> span = Reserve(1 + size);
        span[0] = code;
        return span[1..];
    }
}
