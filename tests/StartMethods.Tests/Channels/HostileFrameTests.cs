using System.Buffers.Binary;
using System.Runtime.InteropServices;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Tests;

/// <summary>Whatever arrives is one error, and costs no memory beyond what arrived.</summary>
[CancelAfter(20_000)]
public class HostileFrameTests
{
    private SocketTransport _sender = null!;
    private FrameChannel _receiver = null!;

    [SetUp]
    public void Connect()
    {
        (Transport local, ChannelEnd remote) = ChannelEnd.CreatePair();
        _sender = (SocketTransport)local;
        _receiver = new FrameChannel(new SocketTransport(remote.Socket!), new FrameLimits { MaxBytes = 1 << 20, MaxLargeBuffers = 4, MaxDescriptors = 2 });
    }

    [TearDown]
    public void Close()
    {
        _sender.Dispose();
        _receiver.Dispose();
    }

    [Test]
    public void A_frame_that_ends_anywhere_is_one_error()
    {
        byte[] frame = ValidFrame();
        for (int length = 1; length < frame.Length; length++)
        {
            Send(frame.AsSpan(0, length));
            _sender.Dispose();
            Assert.That(() => _receiver.Receive(out _), Throws.TypeOf<ProtocolException>().With.Message.Contains("middle of a frame"), $"{length} bytes");
            Close();
            Connect();
        }
    }

    [Test]
    public void Every_flipped_bit_is_found()
    {
        byte[] frame = ValidFrame();
        for (int bit = 0; bit < frame.Length * 8; bit++)
        {
            byte[] damaged = (byte[])frame.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Send(damaged);
            _sender.Dispose();
            Assert.That(() => _receiver.Receive(out _), Throws.TypeOf<ProtocolException>(), $"bit {bit}");
            Close();
            Connect();
        }
    }

    [TestCase(0x7FFFFFFFu), TestCase(0x80000000u), TestCase(0xFFFFFFFFu), TestCase((1u << 20) + 1)]
    public void A_length_beyond_the_limit_is_refused_before_anything_is_allocated(uint length)
    {
        byte[] header = Header(FrameType.Result, payload: length);
        Send(header);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => _receiver.Receive(out _), Throws.TypeOf<ProtocolException>().With.Message.Contains("at most"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(100_000));
    }

    [TestCase(long.MaxValue), TestCase(-1L), TestCase(1L << 31), TestCase((1L << 20) + 1)]
    public void A_large_buffer_beyond_the_limit_is_refused_before_anything_is_allocated(long length)
    {
        byte[] table = new byte[FrameHeader.LargeEntrySize];
        BinaryPrimitives.WriteInt64LittleEndian(table, length);
        Send([.. Header(FrameType.Result, large: 1, body: table), .. table]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => _receiver.Receive(out _), Throws.TypeOf<ProtocolException>().With.Message.Contains("accepted"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(100_000));
    }

    [Test]
    public void An_announced_gibibyte_costs_no_more_than_the_first_step_until_it_arrives()
    {
        using FrameChannel generous = new(Reconnect());
        Send([.. Header(FrameType.Result, payload: 1 << 30), .. new byte[1000]]);
        _sender.Dispose();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => generous.Receive(out _), Throws.TypeOf<ProtocolException>());
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(GrowingBuffer.FirstStep + 100_000));
    }

    [Test]
    public void A_frame_that_controls_may_be_neither_large_nor_carry_anything()
    {
        foreach (FrameType type in new[] { FrameType.Hello, FrameType.Cancel, FrameType.Setup, FrameType.Started })
        foreach (byte[] header in new[] { Header(type, payload: FrameRules.MaxControlPayload + 1), Header(type, large: 1), Header(type, descriptors: 1) })
        {
            Send(header);
            Assert.That(() => _receiver.Receive(out _), Throws.TypeOf<ProtocolException>());
            Close();
            Connect();
        }
    }

    [Test]
    public void Wrong_magic_version_and_type_are_told_apart()
    {
        foreach ((int offset, byte value, string message) in new[] { (0, (byte)'G', "no frame of StartMethods"), (4, (byte)9, "build id mismatch"), (5, (byte)200, "unknown type 200") })
        {
            byte[] header = Header(FrameType.Result);
            header[offset] = value;
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(28), Crc32C.Compute(header.AsSpan(0, 28)));
            Send(header);
            Assert.That(() => _receiver.Receive(out _), Throws.TypeOf<ProtocolException>().With.Message.Contains(message));
            Close();
            Connect();
        }
    }

    [TestCase("Cancel", 0, 1), TestCase("Result", 0, 1), TestCase("Result", 2, 1), TestCase("Result", 3, 3), TestCase("Result", 1, 2)]
    public void Descriptors_that_may_not_come_are_closed_and_are_an_error(string type, int announced, int sent)
    {
        using AnonymousPipe pipe = new();
        SendWith(Header(Enum.Parse<FrameType>(type), descriptors: announced), Enumerable.Repeat(pipe.Write, sent).ToArray());
        pipe.Write.Dispose();
        Assert.That(() => _receiver.Receive(out _), Throws.TypeOf<ProtocolException>());
        _receiver.Dispose();
        Assert.That(pipe.IsAtEnd, "a write end of the pipe is still open somewhere");
    }

    [Test]
    public void Descriptors_within_a_payload_are_closed_and_are_an_error()
    {
        using AnonymousPipe pipe = new();
        Send(Header(FrameType.Result, payload: 4));
        SendWith(new byte[4], [pipe.Write]);
        pipe.Write.Dispose();
        Assert.That(() => _receiver.Receive(out _), Throws.TypeOf<ProtocolException>().With.Message.Contains("descriptors"));
        Assert.That(pipe.IsAtEnd);
    }

    [Test]
    public void Descriptors_arrive_with_their_frame_and_are_closed_with_it()
    {
        using AnonymousPipe pipe = new();
        SendWith(Header(FrameType.Job, descriptors: 2), [pipe.Write, pipe.Write]);
        pipe.Write.Dispose();
        Frame frame = FrameChannelTests.Receive(_receiver);
        Assert.That(frame.Descriptors, Has.Length.EqualTo(2));
        Assert.That(pipe.IsAtEnd, Is.False);
        frame.Dispose();
        Assert.That(pipe.IsAtEnd);
    }

    [Test]
    public void Random_bytes_are_errors_and_nothing_else()
    {
        Random random = new(20260101);
        for (int round = 0; round < 2_000; round++)
        {
            byte[] bytes = ValidFrame();
            for (int change = random.Next(1, 4); change > 0; change--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            Send(bytes);
            _sender.Dispose();
            try
            {
                while (_receiver.Receive(out Frame? frame))
                    frame.Dispose();
            }
            catch (ProtocolException)
            {
                // what it should be
            }
            Close();
            Connect();
        }
    }

    private SocketTransport Reconnect()
    {
        Close();
        (Transport local, ChannelEnd remote) = ChannelEnd.CreatePair();
        _sender = (SocketTransport)local;
        return new SocketTransport(remote.Socket!);
    }

    private static byte[] ValidFrame()
    {
        byte[] body = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 8, 9];
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(8), Crc32C.ComputeLarge([5]));
        return [.. Header(FrameType.Result, payload: 3, large: 1, body: body), .. body, 5];
    }

    private static byte[] Header(FrameType type, uint payload = 0, int large = 0, int descriptors = 0, byte[]? body = null)
    {
        byte[] bytes = new byte[FrameHeader.Size];
        new FrameHeader(type, 1, descriptors, large, payload, Crc32C.Compute(body ?? [])).Write(bytes);
        return bytes;
    }

    private void Send(ReadOnlySpan<byte> bytes) => _sender.Send(bytes, default, default, wait: true);

    private void SendWith(ReadOnlySpan<byte> bytes, SafeHandle[] handles) =>
        _sender.Send(bytes, default, handles.Select(h => (int)h.DangerousGetHandle()).ToArray(), wait: true);

    /// <summary>A pipe whose read end tells whether a write end is still open anywhere.</summary>
    private sealed class AnonymousPipe : IDisposable
    {
        private readonly System.IO.Pipes.AnonymousPipeServerStream _read = new(System.IO.Pipes.PipeDirection.In, HandleInheritability.None);

        internal SafeHandle Write => _read.ClientSafePipeHandle;

        internal bool IsAtEnd
        {
            get
            {
                Task<int> reading = _read.ReadAsync(new byte[1], 0, 1);
                return reading.Wait(200) && reading.Result == 0;
            }
        }

        public void Dispose()
        {
            Write.Dispose();
            _read.Dispose();
        }
    }
}
