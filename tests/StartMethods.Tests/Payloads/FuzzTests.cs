using System.Collections.Immutable;
using StartMethods.Payloads;

namespace StartMethods.Tests;

/// <summary>Whatever bytes arrive: a value, or a PayloadException; at once, and without allocating more than what arrived explains.</summary>
[Parallelizable(ParallelScope.All)]
public class FuzzTests
{
    // A multiple of the payload's size, for objects that are larger than their bytes, plus what an exception and its stack trace take.
    private const long AllocationBase = 256 * 1024, AllocationPerByte = 64;

    public sealed class Everything
    {
        public int A = -5;
        public string? Text = "héllo";
        public List<Everything?>? Children = [];
        public Dictionary<string, object?> Map = new(StringComparer.OrdinalIgnoreCase) { ["x"] = 1, ["y"] = new[] { 1.5 } };
        public DateTime When = DateTime.UnixEpoch;
        public decimal Price = 1.25m;
        public (int, string?)? Pair = (1, "a");
        public int[,] Grid = { { 1, 2 }, { 3, 4 } };
        public HashSet<Guid> Ids = [Guid.Empty];
        public Everything? Self;
        public ImmutableArray<byte> Bytes = [1, 2, 3];
        public ReadOnlyMemory<char> Chars = "abc".AsMemory();
        public Exception? Error = new InvalidOperationException("x");
        public Uri? Address = new("http://localhost/");
        public System.Collections.Frozen.FrozenDictionary<int, string> Frozen = System.Collections.Frozen.FrozenDictionary.ToFrozenDictionary(new Dictionary<int, string> { [1] = "a" });
        public DayOfWeek Day = DayOfWeek.Friday;
        public Half H = (Half)2;
        public System.Numerics.BigInteger Big = 12345;
        public char C = 'c';
        public byte? B = 3;
        public TimeOnly T = new(1, 2);
        public SortedSet<string> Sorted = ["b", "a"];
    }

    private static byte[] ResultBytes()
    {
        var value = new Everything();
        value.Self = value;
        value.Children!.Add(new Everything { Children = null });
        using EncodedPayload payload = ResultCodec.Encode(value, typeof(Everything));
        return payload.Bytes.ToArray();
    }

    private static byte[] JobBytes()
    {
        int x = 3;
        var list = new List<string> { "a" };
        Func<int> inner = () => x + list.Count;
        object any = new Everything { Self = null };
        using EncodedPayload payload = JobCodec.Encode(() => $"{inner()}{any}{x}");
        return payload.Bytes.ToArray();
    }

    private static byte[] FailureBytes()
    {
        using EncodedPayload payload = FailureCodec.Encode(new AggregateException(new InvalidOperationException("m") { Data = { ["k"] = 1.5 } }));
        return payload.Bytes.ToArray();
    }

    private static IEnumerable<TestCaseData> Decoders() =>
    [
        new TestCaseData(ResultBytes(), (Action<byte[]>)(static bytes => ResultCodec.Decode(new ReceivedPayload(bytes), typeof(Everything)))).SetArgDisplayNames("result"),
        new TestCaseData(JobBytes(), (Action<byte[]>)(static bytes => JobCodec.Decode(new ReceivedPayload(bytes)))).SetArgDisplayNames("job"),
        new TestCaseData(FailureBytes(), (Action<byte[]>)(static bytes => FailureCodec.Decode(new ReceivedPayload(bytes)))).SetArgDisplayNames("failure"),
    ];

    private static bool Survives(Action<byte[]> decode, byte[] bytes, string what)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool decoded = true;
        try
        {
            decode(bytes);
        }
        catch (PayloadException)
        {
            decoded = false;
        }
        catch (Exception e)
        {
            Assert.Fail($"{what}: {e}\n{Convert.ToHexString(bytes)}");
        }
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (allocated > AllocationBase + AllocationPerByte * bytes.Length)
            Assert.Fail($"{what}: {bytes.Length} bytes made the decoder allocate {allocated}\n{Convert.ToHexString(bytes)}");
        return decoded;
    }

    [TestCaseSource(nameof(Decoders)), CancelAfter(20_000)]
    public void A_payload_cut_off_anywhere_is_an_error(byte[] payload, Action<byte[]> decode)
    {
        decode(payload);
        for (int length = 0; length < payload.Length; length++)
            Assert.That(Survives(decode, payload[..length], $"cut at {length}"), Is.False);
        Assert.That(Survives(decode, [.. payload, 0xC0], "a byte too many"), Is.False);
    }

    [TestCaseSource(nameof(Decoders)), CancelAfter(20_000)]
    public void Every_flipped_bit_is_survived(byte[] payload, Action<byte[]> decode)
    {
        decode(payload);
        for (int bit = 0; bit < payload.Length * 8; bit++)
        {
            byte[] damaged = [.. payload];
            damaged[bit / 8] ^= (byte)(1 << bit % 8);
            Survives(decode, damaged, $"bit {bit}");
        }
    }

    [TestCaseSource(nameof(Decoders)), CancelAfter(60_000)]
    public void Parts_that_are_left_out_repeated_and_moved_are_survived(byte[] payload, Action<byte[]> decode)
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        byte[][] others = [ResultBytes(), JobBytes(), FailureBytes()];
        for (int i = 0; i < Rounds; i++)
        {
            List<byte> bytes = [.. payload];
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                int at = random.Next(1, bytes.Count), length = random.Next(Math.Min(64, bytes.Count - at) + 1);
                byte[] source = others[random.Next(others.Length)];
                int from = random.Next(source.Length), count = random.Next(Math.Min(64, source.Length - from) + 1);
                if (i % 3 != 0)
                    bytes.RemoveRange(at, length);
                if (i % 3 != 1)
                    bytes.InsertRange(at, source.AsSpan(from, count).ToArray());
                if (bytes.Count < 2)
                    break;
            }
            Survives(decode, [.. bytes], $"seed {seed} round {i}");
        }
    }

    private static int Rounds => 3000 * Math.Max(1, int.TryParse(Environment.GetEnvironmentVariable("STARTMETHODS_STRESS"), out int scale) ? scale : 1);

    [TestCaseSource(nameof(Decoders)), CancelAfter(60_000)]
    public void Random_bytes_and_random_damage_are_survived(byte[] payload, Action<byte[]> decode)
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        byte[] codes = [0xC0, 0xC1, 0xC4, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCF, 0xD3, 0xD4, 0xD6, 0xD9, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0x90, 0x91, 0x92, 0x80, 0xA0, 0x00, 0x7F, 0xFF];
        for (int i = 0; i < Rounds; i++)
        {
            byte[] bytes = i % 3 == 0 ? new byte[random.Next(100)] : [.. payload];
            if (i % 3 == 0)
            {
                random.NextBytes(bytes);
                if (bytes.Length > 0)
                    bytes[0] = WireFormat.Version;
            }
            for (int change = random.Next(1, 6); change > 0 && bytes.Length > 1; change--)
                bytes[random.Next(1, bytes.Length)] = i % 2 == 0 ? codes[random.Next(codes.Length)] : (byte)random.Next(256);
            Survives(decode, bytes, $"seed {seed} round {i}");
        }
    }
}
