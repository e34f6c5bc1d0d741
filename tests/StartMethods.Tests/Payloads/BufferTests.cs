namespace StartMethods.Tests;

[Parallelizable(ParallelScope.All)]
public class BufferTests
{
    [System.Runtime.CompilerServices.InlineArray(4)]
    public struct Four
    {
        private int _first;
    }

    public unsafe struct Fixed
    {
        public fixed byte Bytes[16];
        public string? Name;
    }

    [Test]
    public unsafe void Inline_arrays_and_fixed_buffers_travel_whole()
    {
        Four four = default;
        four[0] = 1;
        four[3] = 4;
        Assert.That(((int[])[.. Carry.Argument(four)]).SequenceEqual([1, 0, 0, 4]));
        Assert.That(((int[])[.. Carry.Result<Four[]>([four])[0]]).SequenceEqual([1, 0, 0, 4]));
        Fixed value = new() { Name = "n" };
        value.Bytes[15] = 9;
        Fixed arrived = Carry.Argument(value);
        Assert.That((arrived.Bytes[15], arrived.Name), Is.EqualTo(((byte)9, "n")));
    }
}
