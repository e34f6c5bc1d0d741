using BenchmarkDotNet.Attributes;
using StartMethods.Channels;

namespace StartMethods.MicroBenchmarks;

/// <summary>A frame from one end of a socketpair to the other, in one process: codec, checksum and the two system calls, without a switch.</summary>
[MemoryDiagnoser]
public class ChannelBenchmarks
{
    private FrameChannel _sender = null!;
    private FrameChannel _receiver = null!;
    private byte[] _payload = [];

    [Params(16, 1024, 65536)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Connect()
    {
        (_sender, ChannelEnd remote) = FrameChannel.CreatePair();
        _receiver = new FrameChannel(remote.Open());
        _payload = new byte[Bytes];
        Random.Shared.NextBytes(_payload);
    }

    [GlobalCleanup]
    public void Disconnect()
    {
        _sender.Dispose();
        _receiver.Dispose();
    }

    [Benchmark]
    public int Frame()
    {
        _sender.Send(new FrameContent(FrameType.Result, _payload));
        if (!_receiver.Receive(out Frame? frame))
            throw new InvalidOperationException("the sender is gone");
        using (frame)
            return frame.Payload.Length;
    }

    [Benchmark]
    public uint Checksum() => Crc32C.Compute(_payload);
}
