using System.IO.Pipes;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StartMethods.Payloads;

namespace StartMethods.Tests;

public class HandleTests
{
    [Test]
    public void A_socket_travels_and_the_senders_stays_open()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        listener.Listen();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect(listener.LocalEndPoint!);
        using Socket server = listener.Accept();
        Assert.That(Carry.Run(() => { using (client) return client.Send("hello"u8.ToArray()); }), Is.EqualTo(5));
        var buffer = new byte[5];
        Assert.That(server.Receive(buffer), Is.EqualTo(5));
        Assert.That(client.Send("x"u8), Is.EqualTo(1));
        using var stream = new NetworkStream(server);
        using NetworkStream arrived = Carry.Argument(stream);
        Assert.That(arrived.ReadByte(), Is.EqualTo('x'));
    }

    [Test]
    public void A_file_travels_with_its_position_and_access()
    {
        string path = Path.GetTempFileName();
        try
        {
            using var file = new FileStream(path, FileMode.Create, FileAccess.ReadWrite);
            file.Write("0123456789"u8);
            file.Position = 4;
            using (FileStream arrived = Carry.Argument(file))
            {
                Assert.That((arrived.ReadByte(), arrived.CanWrite), Is.EqualTo(((int)'4', true)));
                arrived.WriteByte((byte)'X');
            }
            Assert.That(file.ReadByte(), Is.EqualTo('4'));
            using SafeFileHandle handle = Carry.Argument(file.SafeFileHandle);
            Assert.That(RandomAccess.GetLength(handle), Is.EqualTo(10));
            using var readOnly = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using FileStream arrivedReadOnly = Carry.Result(readOnly);
            Assert.That(arrivedReadOnly.CanWrite, Is.False);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void Both_ends_of_an_anonymous_pipe_travel()
    {
        using var server = new AnonymousPipeServerStream(PipeDirection.Out);
        using var client = new AnonymousPipeClientStream(PipeDirection.In, server.ClientSafePipeHandle);
        using (AnonymousPipeServerStream arrived = Carry.Argument(server))
            arrived.WriteByte(7);
        using (AnonymousPipeClientStream arrived = Carry.Argument(client))
            Assert.That(arrived.ReadByte(), Is.EqualTo(7));
        server.WriteByte(8);
        Assert.That(client.ReadByte(), Is.EqualTo(8));
    }

    [Test]
    public void A_handle_of_ones_own_class_travels_if_it_is_a_descriptor()
    {
        using var file = new FileStream("/dev/null", FileMode.Open, FileAccess.Read);
        using OwnHandle arrived = Carry.Argument(new OwnHandle(file.SafeFileHandle.DangerousGetHandle(), false));
        Assert.That(arrived.IsInvalid, Is.False);
        Assert.That(Carry.Refused(new OwnHandle(999_999, false)).Message, Does.Contain("no open file descriptor"));
    }

    private sealed class OwnHandle : SafeHandleMinusOneIsInvalid
    {
        internal OwnHandle(nint value, bool owns) : base(owns) => SetHandle(value);

        protected override bool ReleaseHandle()
        {
            new SafeFileHandle(handle, true).Dispose();
            return true;
        }
    }

    [Test]
    public void Handles_that_nobody_takes_are_closed_and_so_are_those_of_a_malformed_payload()
    {
        int before = Descriptors();
        using var file = new FileStream("/dev/null", FileMode.Open, FileAccess.Read);
        using EncodedPayload payload = JobCodec.Encode((Action<FileStream>)(static _ => { }), file, true);
        for (int length = 0; length < payload.Bytes.Length; length++)
        {
            SafeHandle[] handles = [File.OpenHandle("/dev/null"), File.OpenHandle("/dev/null")];
            Assert.That(() => JobCodec.Decode(new ReceivedPayload(payload.Bytes[..length].ToArray(), handles)), Throws.TypeOf<PayloadException>());
            Assert.That(handles.Select(handle => handle.IsClosed), Is.All.True);
        }
        file.Dispose();
        Assert.That(Descriptors(), Is.EqualTo(before).Within(2));
    }

    private static int Descriptors() => Directory.GetFiles("/proc/self/fd").Length;

    [Test]
    public void Large_buffers_are_referenced_and_handed_over_without_a_copy()
    {
        byte[] large = new byte[WireFormat.OutOfBandThreshold];
        Random.Shared.NextBytes(large);
        using EncodedPayload payload = JobCodec.Encode((Action<byte[]>)(static _ => { }), large, true);
        Assert.That(payload.Bytes.Length, Is.LessThan(500));
        Assert.That(MemoryMarshal.TryGetArray(payload.Buffers[0], out ArraySegment<byte> segment) && ReferenceEquals(segment.Array, large));
        byte[] received = [.. large];
        Assert.That(JobCodec.Decode(new ReceivedPayload(payload.Bytes.ToArray(), null, [received])).Argument, Is.SameAs(received));
        Assert.That(Carry.Argument(large.AsMemory(1)).Span.SequenceEqual(large.AsSpan(1)));
        Assert.That(Carry.Argument(new double[100_000].Select((_, i) => (double)i).ToArray())[99_999], Is.EqualTo(99_999));
        Assert.That(Carry.Argument(Enumerable.Range(0, 100_000).ToArray().AsMemory(5, 90_000)).Span[0], Is.EqualTo(5));
        Assert.That(Carry.Result(new int[300, 300]).Length, Is.EqualTo(90_000));
        Assert.That(Carry.Argument(new MemoryStream(large)).ToArray(), Is.EqualTo(large));
        Assert.That(() => JobCodec.Decode(new ReceivedPayload(payload.Bytes.ToArray())), Throws.TypeOf<PayloadException>().With.Message.Contains("large buffer 0"));
    }
}
