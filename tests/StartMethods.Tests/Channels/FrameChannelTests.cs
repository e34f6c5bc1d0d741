using System.IO.Pipes;
using System.Runtime.InteropServices;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Tests;

[Category("Portable")]
[CancelAfter(20_000)]
public class FrameChannelTests
{
    private FrameChannel _left = null!, _right = null!;

    [SetUp]
    public void Connect() => (_left, _right) = Pair();

    [TearDown]
    public void Close()
    {
        _left.Dispose();
        _right.Dispose();
    }

    [Test]
    public void A_frame_arrives_as_it_was_sent()
    {
        _left.Send(new FrameContent(FrameType.Job, new byte[] { 1, 2, 3 }) { Id = 42 });
        using Frame frame = Receive(_right);
        Assert.Multiple(() =>
        {
            Assert.That(frame.Type, Is.EqualTo(FrameType.Job));
            Assert.That(frame.Id, Is.EqualTo(42));
            Assert.That(frame.Payload.ToArray(), Is.EqualTo(new byte[] { 1, 2, 3 }));
            Assert.That(frame.LargeBuffers, Is.Empty);
            Assert.That(frame.Descriptors, Is.Empty);
        });
    }

    [Test]
    public void An_empty_frame_and_the_end_of_the_stream_are_told_apart()
    {
        _left.Send(new FrameContent(FrameType.Cancel));
        _left.Dispose();
        Assert.That(Receive(_right).Payload.Length, Is.Zero);
        Assert.That(_right.Receive(out _), Is.False);
    }

    [TestCase(1), TestCase(300_000), TestCase(20_000_000)]
    public async Task Large_buffers_arrive_whole_in_order_both_ways_at_once(int length)
    {
        byte[] first = Bytes(length, 1), second = Bytes(length / 2, 2);
        Task sending = Task.WhenAll(Task.Run(() => SendLarge(_left, first, second)), Task.Run(() => SendLarge(_right, second, first)));
        Task<Frame> atRight = Task.Run(() => Receive(_right)), atLeft = Task.Run(() => Receive(_left));
        await sending;
        Assert.That((await atRight).LargeBuffers[0].AsSpan().SequenceEqual(first) && (await atRight).LargeBuffers[1].AsSpan().SequenceEqual(second));
        Assert.That((await atLeft).LargeBuffers[0].AsSpan().SequenceEqual(second) && (await atLeft).LargeBuffers[1].AsSpan().SequenceEqual(first));
    }

    [Test]
    public async Task Posting_never_waits_and_keeps_the_order()
    {
        const int count = 200;
        List<uint> received = [];
        int released = 0;
        for (uint i = 0; i < count; i++)
            _left.Post(new FrameContent(FrameType.Result, Bytes(50_000, (int)i)) { Id = i, Sent = () => Interlocked.Increment(ref released) });
        Assert.That(released, Is.LessThan(count), "10 MB cannot have left without a reader");
        await Task.Run(() =>
        {
            for (int i = 0; i < count; i++)
                received.Add(Receive(_right).Id);
        });
        Assert.That(received, Is.EqualTo(Enumerable.Range(0, count).Select(i => (uint)i)));
        Assert.That(() => Volatile.Read(ref released), Is.EqualTo(count).After(2000, 5));
    }

    [Test]
    public async Task A_listener_gets_every_frame_and_one_end()
    {
        TaskCompletionSource<Exception?> closed = new();
        List<uint> received = [];
        int ends = 0;
        _right.Listen(frame => received.Add(frame.Id), error => { ends++; closed.TrySetResult(error); });
        for (uint i = 0; i < 100; i++)
            _left.Post(new FrameContent(FrameType.Result, Bytes(5_000, (int)i)) { Id = i });
        await Task.Run(() => { while (Volatile.Read(ref received).Count < 100) Thread.Yield(); });
        _left.Dispose();
        Assert.That(await closed.Task, Is.Null);
        Assert.That(ends, Is.EqualTo(1));
        Assert.That(received, Is.EqualTo(Enumerable.Range(0, 100).Select(i => (uint)i)));
    }

    [Test]
    public void Sending_to_a_side_that_is_gone_is_an_error_and_releases_the_content()
    {
        _right.Dispose();
        bool released = false;
        Assert.That(() =>
        {
            for (int i = 0; i < 3; i++)
                _left.Send(new FrameContent(FrameType.Result, new byte[100_000]) { Sent = () => released = true });
        }, Throws.TypeOf<PeerGoneException>());
        Assert.That(released);
        released = false;
        _left.Post(new FrameContent(FrameType.Result, new byte[10]) { Sent = () => released = true });
        Assert.That(() => released, Is.True.After(2000, 5));
    }

    [Test]
    public void More_handles_than_a_message_carries_are_an_argument_error_before_anything_is_sent()
    {
        using SafeHandle handle = File.OpenHandle("/dev/null");
        FrameContent content = new(FrameType.Job) { Descriptors = Enumerable.Repeat(handle, Native.MaxDescriptors + 1).ToArray() };
        Assert.That(() => _left.Send(content), Throws.ArgumentException.With.Message.Contains("253"));
        _left.Send(new FrameContent(FrameType.Job));
        Assert.That(Receive(_right).Descriptors, Is.Empty);
    }

    internal static (FrameChannel, FrameChannel) Pair(FrameLimits? limits = null)
    {
        (FrameChannel local, ChannelEnd remote) = FrameChannel.CreatePair(limits);
        return (local, new FrameChannel(remote.Open(), limits));
    }

    internal static Frame Receive(FrameChannel channel) => channel.Receive(out Frame? frame) ? frame : throw new AssertionException("the stream has ended");

    internal static byte[] Bytes(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static void SendLarge(FrameChannel channel, params byte[][] buffers) =>
        channel.Send(new FrameContent(FrameType.Job, new byte[] { 9 }) { LargeBuffers = buffers.Select(b => new ReadOnlyMemory<byte>(b)).ToArray() });
}
