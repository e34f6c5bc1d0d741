using System.Text;
using StartMethods.Channels;

namespace StartMethods.Tests;

public class Crc32CTests
{
    [Test]
    public void The_check_value_of_the_standard_comes_out() => // RFC 3720, appendix B.4
        Assert.Multiple(() =>
        {
            Assert.That(Crc32C.Compute(Encoding.ASCII.GetBytes("123456789")), Is.EqualTo(0xE3069283));
            Assert.That(Crc32C.Compute(new byte[32]), Is.EqualTo(0x8A9136AA));
            Assert.That(Crc32C.Compute(Enumerable.Repeat((byte)0xFF, 32).ToArray()), Is.EqualTo(0x62A8AB43));
        });

    [Test]
    public void Two_parts_give_the_checksum_of_the_whole()
    {
        byte[] bytes = Bytes(1000);
        for (int cut = 0; cut <= bytes.Length; cut += 37)
            Assert.That(Crc32C.Compute(bytes.AsSpan(0, cut), bytes.AsSpan(cut)), Is.EqualTo(Crc32C.Compute(bytes)));
    }

    [TestCase(0), TestCase(1), TestCase(31), TestCase(32), TestCase(100), TestCase(4099)]
    public void Every_flipped_bit_of_a_large_buffer_changes_its_checksum(int length)
    {
        byte[] bytes = Bytes(length);
        uint checksum = Crc32C.ComputeLarge(bytes);
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.That(Crc32C.ComputeLarge(bytes), Is.Not.EqualTo(checksum), $"bit {bit}");
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
        Assert.That(Crc32C.ComputeLarge(bytes), Is.EqualTo(checksum));
    }

    private static byte[] Bytes(int length)
    {
        byte[] bytes = new byte[length];
        new Random(7).NextBytes(bytes);
        return bytes;
    }
}
