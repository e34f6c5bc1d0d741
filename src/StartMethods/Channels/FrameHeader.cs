using System.Buffers.Binary;

namespace StartMethods.Channels;

/// <summary>The 32 bytes in front of each frame, little-endian. docs/protocol.md has the table.</summary>
internal readonly record struct FrameHeader(FrameType Type, uint Id, int DescriptorCount, int LargeCount, uint PayloadLength, uint BodyChecksum)
{
    internal const int Size = 32;
    internal const byte Version = 1;

    /// <summary>The bytes of one entry of the table of large buffers, which stands between header and payload: length, checksum, zero.</summary>
    internal const int LargeEntrySize = 16;

    private const uint Magic = 0x314D5323; // "#SM1"

    /// <summary>The bytes that follow the header, without the large buffers.</summary>
    internal long BodyLength => (long)LargeCount * LargeEntrySize + PayloadLength;

    internal void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(target, Magic);
        target[4] = Version;
        target[5] = (byte)Type;
        BinaryPrimitives.WriteUInt16LittleEndian(target[6..], (ushort)DescriptorCount);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], Id);
        BinaryPrimitives.WriteUInt32LittleEndian(target[12..], (uint)LargeCount);
        BinaryPrimitives.WriteUInt32LittleEndian(target[16..], PayloadLength);
        BinaryPrimitives.WriteUInt32LittleEndian(target[20..], BodyChecksum);
        BinaryPrimitives.WriteUInt32LittleEndian(target[24..], 0);
        BinaryPrimitives.WriteUInt32LittleEndian(target[28..], Crc32C.Compute(target[..28]));
    }

    /// <summary>Reads and checks a header against what this receiver accepts.</summary>
    /// <exception cref="ProtocolException">The bytes are no frame, or one that may not come.</exception>
    internal static FrameHeader Read(ReadOnlySpan<byte> bytes, FrameLimits limits)
    {
        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (magic != Magic)
            throw new ProtocolException($"what arrived is no frame of StartMethods (it begins with 0x{magic:x8})");
        if (bytes[4] != Version)
            throw new ProtocolException($"the other side speaks protocol version {bytes[4]}, this one {Version}: build id mismatch, two versions of StartMethods.dll are mixed");
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]) != Crc32C.Compute(bytes[..28]))
            throw new ProtocolException("the checksum of a frame's header is wrong");
        FrameType type = (FrameType)bytes[5];
        if (!FrameRules.IsKnown(type))
            throw new ProtocolException($"a frame has the unknown type {bytes[5]}");
        FrameHeader header = new(type, BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]), BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]),
            LargeCount: (int)Math.Min(int.MaxValue, BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..])),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]));
        header.Check(limits);
        return header;
    }

    private void Check(FrameLimits limits)
    {
        if (!FrameRules.CarriesData(Type) && (DescriptorCount > 0 || LargeCount > 0))
            throw new ProtocolException($"a {Type} frame may carry neither descriptors ({DescriptorCount}) nor large buffers ({LargeCount})");
        if (DescriptorCount > limits.MaxDescriptors)
            throw new ProtocolException($"a {Type} frame announces {DescriptorCount} descriptors; at most {limits.MaxDescriptors} are accepted");
        if (LargeCount > limits.MaxLargeBuffers)
            throw new ProtocolException($"a {Type} frame announces {LargeCount} large buffers; at most {limits.MaxLargeBuffers} are accepted");
        long most = FrameRules.MayBeLarge(Type) ? limits.MaxBytes : FrameRules.MaxControlPayload;
        if (BodyLength > most || BodyLength > Array.MaxLength)
            throw new ProtocolException($"a {Type} frame announces {PayloadLength} bytes; at most {most} are accepted");
    }
}
