using System.Net.Sockets;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Microsoft.Win32.SafeHandles;
using StartMethods.Interop;

namespace StartMethods.MicroBenchmarks;

/// <summary>
/// The way of one large buffer from an array to a fresh array behind a socketpair, a thread at each end: through the socket itself, and through a memfd made
/// for it, whose descriptor goes over the socket. Without frames and checksums, which are the same for both.
/// </summary>
public partial class LargeBufferBenchmarks
{
    private FileDescriptor _near = null!, _far = null!;
    private byte[] _data = [];
    private Thread _receiver = null!;
    private readonly SemaphoreSlim _arrived = new(0);
    private volatile bool _throughMemfd;

    [Params(64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public unsafe void Connect()
    {
        int* ends = stackalloc int[2];
        NativeError.ThrowIfFailed(Native.ChannelPair(ends), "socketpair");
        (_near, _far) = (new FileDescriptor(ends[0]), new FileDescriptor(ends[1]));
        _data = new byte[Bytes];
        Random.Shared.NextBytes(_data);
        _receiver = new Thread(Receive) { IsBackground = true };
        _receiver.Start();
    }

    [GlobalCleanup]
    public void Disconnect()
    {
        _near.Dispose();
        _receiver.Join();
        _far.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void Socket()
    {
        _throughMemfd = false;
        for (int sent = 0; sent < _data.Length;)
            sent += Send(_data.AsSpan(sent), -1);
        _arrived.Wait();
    }

    [Benchmark]
    public void Memfd()
    {
        _throughMemfd = true;
        using SafeFileHandle memory = new(memfd_create("buffer", 1), ownsHandle: true);
        RandomAccess.Write(memory, _data, 0);
        Send([1], (int)memory.DangerousGetHandle());
        _arrived.Wait();
    }

    private void Receive()
    {
        while (true)
        {
            byte[] result = GC.AllocateUninitializedArray<byte>(Bytes);
            for (int received = 0; received < result.Length;)
            {
                int count = Receive(result.AsSpan(received), out int descriptor);
                if (count == 0)
                    return;
                if (descriptor >= 0 || _throughMemfd)
                {
                    using SafeFileHandle memory = new(descriptor, ownsHandle: true);
                    for (received = 0; received < result.Length;)
                        received += RandomAccess.Read(memory, result.AsSpan(received), received);
                    break;
                }
                received += count;
            }
            _arrived.Release();
        }
    }

    private unsafe int Send(ReadOnlySpan<byte> bytes, int descriptor)
    {
        fixed (byte* first = bytes)
        {
            ChannelMessage message = new() { Size = (uint)sizeof(ChannelMessage), First = first, FirstLength = (ulong)bytes.Length };
            message.Descriptors = &descriptor;
            message.DescriptorCount = descriptor >= 0 ? 1 : 0;
            long sent = Native.ChannelSend(_near.Number, &message);
            return sent >= 0 ? (int)sent : throw new SocketException((int)-sent);
        }
    }

    private unsafe int Receive(Span<byte> bytes, out int descriptor)
    {
        int arrived = -1;
        fixed (byte* first = bytes)
        {
            ChannelMessage message = new() { Size = (uint)sizeof(ChannelMessage), First = first, FirstLength = (ulong)bytes.Length, Descriptors = &arrived, DescriptorCount = 1 };
            long count = Native.ChannelReceive(_far.Number, &message);
            descriptor = message.DescriptorCount > 0 ? arrived : -1;
            return count >= 0 ? (int)count : throw new SocketException((int)-count);
        }
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int memfd_create(string name, uint flags);
}
