using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace StartMethods.Payloads;

/// <summary>
/// Reads MessagePack. Every length is checked against the bytes that are there before anything is allocated; whatever does not fit is a
/// <see cref="PayloadException"/>.
/// </summary>
internal class MessagePackReader
{
    private byte[] _bytes = [];
    private int _position;
    private int _end;

    internal MessagePackReader() { }

    internal MessagePackReader(ReadOnlyMemory<byte> bytes) => SetInput(bytes);

    internal int Position => _position;

    internal int Remaining => _end - _position;

    internal void SetInput(ReadOnlyMemory<byte> bytes)
    {
        // Memory that is no array (a mapping that the child shares) is copied, so that it cannot change between a check and its use.
        ArraySegment<byte> segment = MemoryMarshal.TryGetArray(bytes, out ArraySegment<byte> array) ? array : new ArraySegment<byte>(bytes.ToArray());
        _bytes = segment.Array ?? [];
        _position = segment.Offset;
        _end = segment.Offset + segment.Count;
    }

    /// <summary>Goes back over bytes that were just read, to read them as values.</summary>
    internal void Rewind(int count) => _position -= count;

    private ReadOnlySpan<byte> Take(int count)
    {
        if ((uint)count > (uint)(_end - _position))
            throw Malformed($"{(uint)count} bytes are announced and {Remaining} are there");
        ReadOnlySpan<byte> span = _bytes.AsSpan(_position, count);
        _position += count;
        return span;
    }

    internal byte Peek() => _position < _end ? _bytes[_position] : throw Malformed("it ends in the middle of a value");

    private byte TakeByte()
    {
        if (_position >= _end)
            throw Malformed("it ends in the middle of a value");
        return _bytes[_position++];
    }

    internal bool TryReadNil()
    {
        if (Peek() != 0xC0)
            return false;
        _position++;
        return true;
    }

    internal void ReadNil()
    {
        if (!TryReadNil())
            throw Unexpected(Peek(), "nil");
    }

    internal bool ReadBoolean()
    {
        byte code = TakeByte();
        return code switch { 0xC3 => true, 0xC2 => false, _ => throw Unexpected(code, "a Boolean") };
    }

    internal int ReadInt32()
    {
        byte code = TakeByte();
        if (code < 128)
            return code;
        long value = ReadInteger(code);
        return value == (int)value ? (int)value : throw Malformed($"{value} is no Int32");
    }

    internal long ReadInt64() => ReadInteger(TakeByte());

    private long ReadInteger(byte code) => code switch
    {
        < 128 => code,
        >= 0xE0 => (sbyte)code,
        0xCC => Take(1)[0],
        0xCD => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
        0xCE => BinaryPrimitives.ReadUInt32BigEndian(Take(4)),
        0xCF when BinaryPrimitives.ReadUInt64BigEndian(Take(8)) is <= long.MaxValue and var value => (long)value,
        0xD0 => (sbyte)Take(1)[0],
        0xD1 => BinaryPrimitives.ReadInt16BigEndian(Take(2)),
        0xD2 => BinaryPrimitives.ReadInt32BigEndian(Take(4)),
        0xD3 => BinaryPrimitives.ReadInt64BigEndian(Take(8)),
        _ => throw Unexpected(code, "an integer"),
    };

    internal ulong ReadUInt64()
    {
        byte code = TakeByte();
        if (code == 0xCF)
            return BinaryPrimitives.ReadUInt64BigEndian(Take(8));
        long value = ReadInteger(code);
        return value >= 0 ? (ulong)value : throw Malformed($"{value} is no UInt64");
    }

    /// <summary>An integer within limits: a length, an index, a number of a list.</summary>
    internal int ReadInt32(int minimum, int maximum)
    {
        int value = ReadInt32();
        return value >= minimum && value <= maximum ? value : throw Malformed($"{value} is not within {minimum} and {maximum}");
    }

    internal float ReadSingle()
    {
        byte code = TakeByte();
        return code == 0xCA ? BitConverter.UInt32BitsToSingle(BinaryPrimitives.ReadUInt32BigEndian(Take(4))) : throw Unexpected(code, "a float32");
    }

    internal double ReadDouble()
    {
        byte code = TakeByte();
        return code == 0xCB ? BitConverter.UInt64BitsToDouble(BinaryPrimitives.ReadUInt64BigEndian(Take(8))) : throw Unexpected(code, "a float64");
    }

    internal string? ReadString()
    {
        byte code = TakeByte();
        int length;
        switch (code)
        {
            case 0xC0: return null;
            case >= 0xA0 and <= 0xBF: length = code & 0x1F; break;
            case 0xD9: length = Take(1)[0]; break;
            case 0xDA: length = BinaryPrimitives.ReadUInt16BigEndian(Take(2)); break;
            case 0xDB: length = ReadLength32(); break;
            case 0xC9: _position--; return ReadUtf16();
            default: throw Unexpected(code, "a string");
        }
        ReadOnlySpan<byte> bytes = Take(length);
        // A replacement character would hide a corrupted payload.
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw Malformed("a string is not UTF-8");
    }

    internal string ReadText() => ReadString() ?? throw Malformed("a string is missing");

    internal static bool IsString(byte code) => code is (>= 0xA0 and <= 0xBF) or 0xD9 or 0xDA or 0xDB;

    private string ReadUtf16()
    {
        ReadOnlySpan<byte> bytes = ReadExtension(WireFormat.Utf16);
        return (bytes.Length & 1) == 0 ? new string(MemoryMarshal.Cast<byte, char>(bytes)) : throw Malformed("a UTF-16 string has an odd length");
    }

    internal ReadOnlySpan<byte> ReadBinary() => Take(ReadBinaryHeader());

    internal ReadOnlySpan<byte> ReadBinary(int length)
    {
        ReadOnlySpan<byte> bytes = ReadBinary();
        return bytes.Length == length ? bytes : throw Malformed($"a value of {length} bytes has {bytes.Length}");
    }

    private int ReadBinaryHeader()
    {
        byte code = TakeByte();
        return code switch
        {
            0xC4 => Take(1)[0],
            0xC5 => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            0xC6 => ReadLength32(),
            _ => throw Unexpected(code, "bytes"),
        };
    }

    private int ReadLength32()
    {
        uint length = BinaryPrimitives.ReadUInt32BigEndian(Take(4));
        return length <= int.MaxValue ? (int)length : throw Malformed($"{length} bytes are announced and {Remaining} are there");
    }

    internal int ReadArrayHeader()
    {
        byte code = TakeByte();
        if ((code & 0xF0) == 0x90)
            return CheckCount(code & 0x0F, 1);
        return code switch
        {
            0xDC => CheckCount(BinaryPrimitives.ReadUInt16BigEndian(Take(2)), 1),
            0xDD => CheckCount(ReadLength32(), 1),
            _ => throw Unexpected(code, "an array"),
        };
    }

    /// <summary>The length of an array of values that are allocated at once: each takes at least as many bytes as its codec says.</summary>
    internal int ReadArrayHeader(Codec element) => CheckCount(ReadArrayHeader(), element.MinimumSize);

    internal void CheckRemaining(int count, int bytesEach) => CheckCount(count, bytesEach);

    internal void ReadArrayHeader(int count)
    {
        int actual = ReadArrayHeader();
        if (actual != count)
            throw Malformed($"an array of {count} has {actual} elements");
    }

    internal int ReadMapHeader()
    {
        byte code = TakeByte();
        if ((code & 0xF0) == 0x80)
            return CheckCount(code & 0x0F, 2);
        return code switch
        {
            0xDE => CheckCount(BinaryPrimitives.ReadUInt16BigEndian(Take(2)), 2),
            0xDF => CheckCount(ReadLength32(), 2),
            _ => throw Unexpected(code, "a map"),
        };
    }

    // Every element takes at least a byte, so a count can never claim more than what has arrived.
    private int CheckCount(int count, int bytesEach) => (long)count * bytesEach <= Remaining
        ? count
        : throw Malformed($"{count} elements are announced and {Remaining} bytes are there");

    /// <summary>Whether the next value is an extension of this type; it is not consumed.</summary>
    internal bool IsExtension(sbyte type) => PeekExtension(out sbyte actual) && actual == type;

    /// <summary>Whether the next value is an extension, and of which type.</summary>
    internal bool PeekExtension(out sbyte type)
    {
        int offset = Peek() switch { 0xD4 or 0xD5 or 0xD6 or 0xD7 or 0xD8 => 1, 0xC7 => 2, 0xC8 => 3, 0xC9 => 5, _ => 0 };
        type = 0;
        if (offset == 0 || _position + offset >= _end)
            return false;
        type = (sbyte)_bytes[_position + offset];
        return true;
    }

    internal ReadOnlySpan<byte> ReadExtension(sbyte type)
    {
        byte code = TakeByte();
        int length = code switch
        {
            0xD4 => 1, 0xD5 => 2, 0xD6 => 4, 0xD7 => 8, 0xD8 => 16,
            0xC7 => Take(1)[0],
            0xC8 => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            0xC9 => ReadLength32(),
            _ => throw Unexpected(code, "an extension"),
        };
        sbyte actual = (sbyte)TakeByte();
        return actual == type ? Take(length) : throw Malformed($"an extension of type {actual} stands where type {type} belongs");
    }

    /// <summary>The number in an extension of <paramref name="type"/>.</summary>
    internal int ReadExtensionNumber(sbyte type)
    {
        ReadOnlySpan<byte> body = ReadExtension(type);
        return body.Length switch
        {
            1 => body[0],
            2 => BinaryPrimitives.ReadUInt16BigEndian(body),
            4 when BinaryPrimitives.ReadInt32BigEndian(body) is >= 0 and var number => number,
            _ => throw Malformed("a number in an extension has an unknown size"),
        };
    }

    private static PayloadException Unexpected(byte code, string expected) => Malformed($"code 0x{code:X2} stands where {expected} belongs");

    internal static PayloadException Malformed(string what) => new($"A payload that arrived is malformed: {what}.");

    [DoesNotReturn]
    internal static void ThrowMalformed(string what) => throw Malformed(what);
}
