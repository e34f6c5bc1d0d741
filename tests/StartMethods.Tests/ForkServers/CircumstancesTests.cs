using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using StartMethods.Channels;
using StartMethods.ForkServers;
using StartMethods.Interop;

namespace StartMethods.Tests.ForkServers;

public class CircumstancesTests
{
    private static readonly byte[] Environment = Encoding.UTF8.GetBytes("A=1\0B=\0C=ä=b\0");

    [Test]
    public void They_have_the_layout_that_circumstances_c_asserts() => Assert.Multiple(() =>
    {
        Assert.That(Unsafe.SizeOf<Circumstances>(), Is.EqualTo(24 + 16 * LimitTable.Count));
        Assert.That((int)Marshal.OffsetOf<Circumstances>(nameof(Circumstances.Input)), Is.EqualTo(12));
        Assert.That((int)Marshal.OffsetOf<Circumstances>(nameof(Circumstances.Limits)), Is.EqualTo(24));
    });

    [Test]
    public void They_come_back_as_they_were_written()
    {
        Circumstances written = new() { Mask = 0x12 };
        for (int i = 0; i < LimitTable.Count; i++)
            written.Limits[i] = new LimitPair((ulong)i, ulong.MaxValue - (ulong)i);
        using Frame frame = FrameOf(Assignment.Encode(written, Environment), 4);
        Assert.That(Assignment.Decode(frame, out Circumstances read).ToArray(), Is.EqualTo(Environment));
        Assert.That(read.Mask, Is.EqualTo(0x12));
        for (int i = 0; i < LimitTable.Count; i++)
            Assert.That(read.Limits[i], Is.EqualTo(written.Limits[i]));
    }

    [Test]
    public void What_is_cut_or_has_the_wrong_number_of_descriptors_is_refused()
    {
        byte[] whole = Assignment.Encode(new Circumstances(), Environment);
        for (int length = 0; length < whole.Length; length++)
        {
            // Cut between two variables it is a shorter environment: that the frame is whole is what its length and checksum are for.
            if (length >= whole.Length - Environment.Length && (length == whole.Length - Environment.Length || whole[length - 1] == 0))
                continue;
            Assert.Throws<ProtocolException>(() => Read(whole[..length], 4), $"cut to {length}");
        }
        foreach (int wrong in new[] { 0, 3, 5 })
            Assert.Throws<ProtocolException>(() => Read(whole, wrong));
    }

    private static void Read(byte[] bytes, int descriptors)
    {
        using Frame frame = FrameOf(bytes, descriptors);
        Assignment.Decode(frame, out _);
    }

    private static Frame FrameOf(byte[] bytes, int descriptors) =>
        new(Assignment.Type, 0, bytes, [], [.. Enumerable.Range(0, descriptors).Select(_ => new FileDescriptor(-1))]);
}
