using System.Runtime.CompilerServices;
using StartMethods.Interop;

namespace StartMethods.Tests.Pools;

/// <summary>The rings in one process: a thread stands for the worker.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RingTests : IDisposable
{
    private readonly FileDescriptor _descriptor;
    private readonly RingMemory _memory;

    public RingTests() => (_descriptor, _memory) = RingMemory.Create();

    public void Dispose()
    {
        _memory.Dispose();
        _descriptor.Dispose();
    }

    private static readonly RingExtent[] NoExtents = [];

    private static bool Write(RingProducer producer, RingRecord record, ReadOnlySpan<RingExtent> extents, ReadOnlySpan<byte> payload, out uint position) =>
        producer.TryWrite(ref record, extents, payload, null, out position);

    [Test]
    public unsafe void The_structures_of_the_header_have_the_same_sizes_here() => Assert.That(
        (sizeof(RingWatch), sizeof(RingWaitState), sizeof(RingRecord), sizeof(RingExtent), (int)RingField()), Is.EqualTo((40, 80, RingRecord.Size, RingExtent.Size, RingRecord.StateOffset)));

    private static unsafe nint RingField()
    {
        RingRecord record = default;
        return (nint)((byte*)&record.State - (byte*)&record);
    }

    [Test]
    public void Records_of_every_length_come_out_as_they_went_in_however_often_the_ring_wraps()
    {
        RingProducer producer = _memory.RequestProducer();
        RingConsumer consumer = _memory.RequestConsumer();
        var random = new Random(7);
        Span<RingExtent> extents = stackalloc RingExtent[4];
        for (int i = 0; i < 5000; i++)
        {
            byte[] payload = new byte[random.Next(RingProducer.MaxPayload)];
            random.NextBytes(payload);
            RingExtent[] sent = [.. Enumerable.Range(0, random.Next(4)).Select(n => new RingExtent(n, i))];
            Assert.That(Write(producer, new RingRecord { Kind = RingRecordKind.Task, Id = i }, sent, payload, out _), Is.True);
            producer.Publish();
            Assert.That(consumer.TryRead(out RingRecord record, extents, out ReadOnlySpan<byte> received), Is.True);
            Assert.That(received.SequenceEqual(payload) && record.Id == i && extents[..(int)record.ExtentCount].SequenceEqual(sent), Is.True);
            consumer.Done();
        }
        Assert.That(consumer.TryRead(out _, extents, out _), Is.False);
    }

    [Test]
    public void A_full_ring_takes_nothing_until_a_record_is_done()
    {
        RingProducer producer = _memory.RequestProducer();
        RingConsumer consumer = _memory.RequestConsumer();
        byte[] payload = new byte[8000];
        int written = 0;
        while (Write(producer, new RingRecord { Kind = RingRecordKind.Task }, NoExtents, payload, out _))
            written++;
        producer.Publish();
        Assert.That(written, Is.EqualTo(RingMemory.RingSize / 8032));
        for (int i = 0; i < 2; i++)
        {
            consumer.TryRead(out _, default, out _);
            consumer.Done();
        }
        Assert.That(Write(producer, new RingRecord { Kind = RingRecordKind.Task }, NoExtents, payload, out _), Is.True);
    }

    [Test]
    public void A_record_is_either_begun_or_taken_back_and_never_both()
    {
        RingProducer producer = _memory.RequestProducer();
        RingConsumer consumer = _memory.RequestConsumer();
        int begun = 0, revoked = 0;
        const int Rounds = 20000;
        var worker = new Thread(() =>
        {
            for (int i = 0; i < Rounds; i++)
            {
                while (!consumer.TryRead(out _, default, out _))
                    Thread.Yield();
                if (consumer.TryBegin())
                    begun++;
                consumer.Done();
            }
        });
        worker.Start();
        for (int i = 0; i < Rounds; i++)
        {
            uint position;
            while (!Write(producer, new RingRecord { Kind = RingRecordKind.Task, Id = i }, NoExtents, default, out position))
                Thread.Yield();
            producer.Publish();
            Thread.SpinWait(i % 50);
            if (producer.TryRevoke(position))
                revoked++;
        }
        worker.Join();
        Assert.That(begun + revoked, Is.EqualTo(Rounds));
    }

    [Test]
    public unsafe void Two_threads_that_wait_for_each_other_lose_no_record()
    {
        RingProducer requests = _memory.RequestProducer(), replies = _memory.ReplyProducer(bell: -1);
        RingConsumer requested = _memory.RequestConsumer(), replied = _memory.ReplyConsumer();
        const int Rounds = 50000;
        var worker = new Thread(() => Serve(requested, replies, Rounds)) { IsBackground = true };
        worker.Start();
        int sent = 0, received = 0;
        RingWatch watch = new() { Word = replied.HeadAddress, Sleeps = replied.SleepsAddress, PeerCpu = replied.PeerCpuAddress };
        RingWaitState wait = new() { Size = (uint)sizeof(RingWaitState), Count = 1, Watches = &watch, Bells = -1, TimeoutMilliseconds = 10_000, MaxSpinNanoseconds = 20_000 };
        while (received < Rounds)
        {
            while (sent < Rounds && sent - received < 64 && Write(requests, new RingRecord { Kind = RingRecordKind.Task, Id = sent }, NoExtents, default, out _))
                sent++;
            requests.Publish();
            watch.Seen = replied.Seen;
            Assert.That(Native.RingWait(&wait), Is.EqualTo(1));
            while (replied.TryRead(out RingRecord record, default, out _))
            {
                Assert.That(record.Id, Is.EqualTo(received++));
                replied.Done();
            }
        }
        Assert.That(worker.Join(10_000), Is.True);
    }

    private static unsafe void Serve(RingConsumer requests, RingProducer replies, int rounds)
    {
        RingWatch watch = new() { Word = requests.HeadAddress, Sleeps = requests.SleepsAddress, PeerCpu = requests.PeerCpuAddress, OwnCpu = replies.OwnCpu };
        RingWaitState wait = new() { Size = (uint)sizeof(RingWaitState), Count = 1, Watches = &watch, Bells = -1, TimeoutMilliseconds = 10_000, MaxSpinNanoseconds = 20_000 };
        for (int done = 0; done < rounds;)
        {
            watch.Seen = requests.Seen;
            if (Native.RingWait(&wait) != 1)
                return;
            while (requests.TryRead(out RingRecord record, default, out _))
            {
                while (!Write(replies, new RingRecord { Kind = RingRecordKind.Result, Id = record.Id }, default, default, out _))
                    replies.WaitForRoom();
                requests.Done();
                done++;
            }
            replies.Publish();
        }
    }

    [Test]
    public unsafe void Whatever_a_hostile_worker_writes_the_reader_refuses_it_or_stays_within_the_ring()
    {
        var random = new Random(11);
        Span<RingExtent> extents = stackalloc RingExtent[8];
        int refused = 0, read = 0;
        for (int round = 0; round < 3000; round++)
        {
            RingProducer producer = _memory.ReplyProducer(bell: -1);
            RingConsumer consumer = _memory.ReplyConsumer();
            byte* header = (byte*)consumer.HeadAddress;
            new Span<byte>(header, Native.RingHeaderSize).Clear();
            for (int i = 0; i < 4; i++)
                Write(producer, new RingRecord { Kind = RingRecordKind.Result, Id = i }, [new RingExtent(0, 5)], new byte[random.Next(200)], out _);
            producer.Publish();
            byte* data = header + 4096 - Native.RingHeaderSize + RingMemory.RingSize; // the reply ring's first byte
            for (int i = random.Next(1, 12); i > 0; i--)
                data[random.Next(600)] = (byte)random.Next(256);
            if (round % 3 == 0)
                *(uint*)header = (uint)random.Next();
            try
            {
                for (int i = 0; i < 10_000 && consumer.TryRead(out RingRecord record, extents, out ReadOnlySpan<byte> payload); i++)
                {
                    Assert.That(payload.Length, Is.LessThan(RingMemory.RingSize));
                    fixed (byte* start = payload)
                        Assert.That(start == null || (start >= data && start + payload.Length <= data + RingMemory.RingSize), Is.True);
                    consumer.Done();
                    read++;
                }
            }
            catch (RingCorruptException)
            {
                refused++;
            }
        }
        Assert.That((refused > 500, read > 500), Is.EqualTo((true, true)), $"{refused} refused, {read} read");
    }

    [Test]
    public unsafe void A_tail_that_claims_more_than_was_written_is_refused()
    {
        RingProducer producer = _memory.RequestProducer();
        Write(producer, new RingRecord { Kind = RingRecordKind.Task }, NoExtents, default, out _);
        producer.Publish();
        Unsafe.AddByteOffset(ref *_memory.RequestConsumer().HeadAddress, Native.RingTail) = 4096;
        Assert.That(() => producer.ReadTail(), Throws.TypeOf<RingCorruptException>());
    }
}
