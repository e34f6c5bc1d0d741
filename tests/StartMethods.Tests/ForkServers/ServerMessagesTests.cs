using StartMethods.Channels;
using StartMethods.ForkServers;

namespace StartMethods.Tests.ForkServers;

public class ServerMessagesTests
{
    private static readonly ReadyMessage Ready = new("no", "thread 7", "läuft ✓", HasHooks: true);
    private static readonly ForkMessage Fork = new(17, true, 0);
    private static readonly ForkedMessage Forked = new(uint.MaxValue, 4711, 0);
    private static readonly RefusedMessage Refused = new(3, 11, "EAGAIN: pids.max");

    private delegate int Writer(Span<byte> target);

    // Message, descriptors that belong to it, a reader that throws where the fields are wrong.
    private static IEnumerable<(byte[] Message, int Descriptors, Func<byte[], object> Read)> All()
    {
        yield return (Bytes(t => ServerMessages.Write(t, Ready)), 0, m => ServerMessages.ReadReady(m));
        yield return (Bytes(t => ServerMessages.Write(t, Fork)), 1, m => ServerMessages.ReadFork(m));
        yield return (Bytes(t => ServerMessages.Write(t, Forked)), 1, m => ServerMessages.ReadForked(m));
        yield return (Bytes(t => ServerMessages.Write(t, Forked with { PidfdIndex = -1 })), 0, m => ServerMessages.ReadForked(m));
        yield return (Bytes(t => ServerMessages.Write(t, Refused)), 0, m => ServerMessages.ReadRefused(m));
    }

    [Test]
    public void Every_message_comes_back_as_it_was_written()
    {
        object[] read = [.. All().Select(m =>
        {
            ServerMessages.Check(m.Message, m.Descriptors);
            return m.Read(m.Message);
        })];
        Assert.That(read, Is.EqualTo(new object[] { Ready, Fork, Forked, Forked with { PidfdIndex = -1 }, Refused }));
    }

    [Test]
    public void A_message_cut_at_any_byte_is_refused()
    {
        foreach (var (message, descriptors, read) in All())
            for (int length = 0; length < message.Length; length++)
                Assert.Throws<ProtocolException>(() => Accept(message[..length], descriptors, read), $"{message[1]} cut to {length}");
    }

    [Test]
    public void A_message_with_a_byte_too_many_is_refused()
    {
        foreach (var (message, descriptors, read) in All())
            Assert.Throws<ProtocolException>(() => Accept([.. message, 0], descriptors, read));
    }

    [Test]
    public void A_flipped_bit_never_goes_unnoticed()
    {
        foreach (var (message, descriptors, read) in All())
            for (int bit = 0; bit < message.Length * 8; bit++)
            {
                byte[] damaged = [.. message];
                damaged[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.Throws<ProtocolException>(() => Accept(damaged, descriptors, read), $"kind {message[1]}, bit {bit}");
            }
    }

    [Test]
    public void Descriptors_are_refused_on_a_message_that_may_not_carry_them()
    {
        foreach (var (message, descriptors, read) in All())
            foreach (int wrong in new[] { 0, 1, 2, 253 }.Where(count => count != descriptors))
                Assert.Throws<ProtocolException>(() => Accept(message, wrong, read), $"kind {message[1]} with {wrong}");
    }

    [Test]
    public void A_long_reason_is_cut_between_characters()
    {
        byte[] message = Bytes(t => ServerMessages.Write(t, Refused with { Reason = new string('ß', 10_000) }));
        Assert.That(ServerMessages.ReadRefused(message).Reason, Is.EqualTo(new string('ß', 2048)));
    }

    [Test]
    public void A_process_id_that_is_none_is_refused([Values(0, -1, int.MinValue)] int id)
    {
        byte[] message = Bytes(t => ServerMessages.Write(t, Forked with { ProcessId = id }));
        Assert.Throws<ProtocolException>(() => ServerMessages.ReadForked(message));
    }

    private static void Accept(byte[] message, int descriptors, Func<byte[], object> read)
    {
        ServerMessages.Check(message, descriptors);
        read(message);
    }

    private static byte[] Bytes(Writer write)
    {
        byte[] buffer = new byte[ServerMessages.MaxSize];
        return buffer[..write(buffer)];
    }

    [Test]
    public void A_definition_comes_back_as_it_was_written_and_one_that_does_not_fit_is_not_sent()
    {
        byte[] target = new byte[ServerMessages.HeaderSize + 4];
        Assert.That(ServerMessages.WriteLearn(target, [1, 2, 3, 4, 5]), Is.Zero);
        int size = ServerMessages.WriteLearn(target, [1, 2, 3, 4]);
        Assert.That(ServerMessages.Check(target.AsSpan(0, size), 0), Is.EqualTo(ServerMessageKind.Learn));
        Assert.That(ServerMessages.ReadLearn(target.AsSpan(0, size)).ToArray(), Is.EqualTo(new byte[] { 1, 2, 3, 4 }));
        target[^1] ^= 1;
        Assert.Throws<ProtocolException>(() => ServerMessages.Check(target, 0));
    }
}
