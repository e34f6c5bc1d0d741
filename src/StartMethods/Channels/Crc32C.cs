using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace StartMethods.Channels;

/// <summary>CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's own instruction where it has one. It finds accidents, not attackers.</summary>
internal static class Crc32C
{
    /// <summary>The checksum of the bytes.</summary>
    internal static uint Compute(ReadOnlySpan<byte> bytes) => ~Update(~0u, bytes);

    /// <summary>The checksum of two parts that follow each other.</summary>
    internal static uint Compute(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second) => ~Update(Update(~0u, first), second);

    /// <summary>
    /// The checksum of a large buffer: the CRC-32C of the four CRC-32Cs of its quarters (each of ⌊length / 32⌋ · 8 bytes; what is left over belongs to the last).
    /// </summary>
    /// <remarks>The instruction has a latency of three cycles and a throughput of one: one running checksum would leave two thirds of it unused.</remarks>
    internal static uint ComputeLarge(ReadOnlySpan<byte> bytes)
    {
        int words = bytes.Length / 32;
        int quarter = words * 8;
        ReadOnlySpan<ulong> first = MemoryMarshal.Cast<byte, ulong>(bytes[..quarter]), second = MemoryMarshal.Cast<byte, ulong>(bytes.Slice(quarter, quarter)),
            third = MemoryMarshal.Cast<byte, ulong>(bytes.Slice(2 * quarter, quarter)), fourth = MemoryMarshal.Cast<byte, ulong>(bytes.Slice(3 * quarter, quarter));
        uint a = ~0u, b = ~0u, c = ~0u, d = ~0u;
        for (int i = 0; i < first.Length && i < second.Length && i < third.Length && i < fourth.Length; i++)
        {
            a = BitOperations.Crc32C(a, first[i]);
            b = BitOperations.Crc32C(b, second[i]);
            c = BitOperations.Crc32C(c, third[i]);
            d = BitOperations.Crc32C(d, fourth[i]);
        }
        d = Update(d, bytes[(4 * quarter)..]);
        uint all = BitOperations.Crc32C(~0u, ~a);
        all = BitOperations.Crc32C(all, ~b);
        all = BitOperations.Crc32C(all, ~c);
        return ~BitOperations.Crc32C(all, ~d);
    }

    private static uint Update(uint checksum, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= sizeof(ulong))
        {
            checksum = BitOperations.Crc32C(checksum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }
        foreach (byte b in bytes)
            checksum = BitOperations.Crc32C(checksum, b);
        return checksum;
    }
}
