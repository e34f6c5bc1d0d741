using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Collections.ObjectModel;
using System.Globalization;
using System.Net;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;

namespace StartMethods.Tests;

[Parallelizable(ParallelScope.All)]
public class RoundTripTests
{
    public enum Colour : byte { Red = 1, Blue = 200 }

    [Flags]
    public enum Wide : ulong { None, Top = 1UL << 63 }

    public record Person(string Name, int Age, Person? Friend = null);

    public record struct Pair(int A, string? B);

    public readonly struct Point(double x, double y)
    {
        public readonly double X = x, Y = y;
    }

    private static IEnumerable<TestCaseData> Scalars()
    {
        object[] values =
        [
            true, false, 'x', '\uD800', sbyte.MinValue, byte.MaxValue, short.MinValue, ushort.MaxValue, int.MinValue, int.MaxValue, -1, -32, -33, -129, -32769, 127, 128, 65536, uint.MaxValue,
            long.MinValue, long.MaxValue, ulong.MaxValue, float.NaN, float.NegativeZero, double.NaN, -0.0, double.Epsilon, decimal.MinValue, 1.0m, 1.00m, 79228162514264337593543950335m,
            "", "text", "ünï \0 \U0001F600", "lone \uD800 surrogate", new string('x', 31), new string('é', 100), new string('x', 70000),
            Guid.Parse("00112233-4455-6677-8899-aabbccddeeff"), TimeSpan.MinValue, DateOnly.MaxValue, TimeOnly.MaxValue, (Half)1.5, Int128.MinValue, UInt128.MaxValue,
            BigInteger.Pow(-7, 300), BigInteger.Zero, new Complex(1, -2), new Rune(0x1F600), new Index(3, true), 1..^2,
            new DateTime(2026, 3, 29, 2, 30, 0, DateTimeKind.Local), new DateTime(1, DateTimeKind.Utc), DateTime.MaxValue, new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.FromHours(-5.5)),
            Colour.Blue, Wide.Top, (Colour)77, (1, "two", 3.0), (1, 2, 3, 4, 5, 6, 7, 8, 9), new Pair(1, null), new Point(1, 2), KeyValuePair.Create("k", 5), Tuple.Create(1, "x"),
            new Uri("https://example.org/ä?q=1#f"), new Uri("relative/path", UriKind.Relative), new Version(1, 2, 3, 4), new Version(1, 2),
            IPAddress.Loopback, IPAddress.Parse("fe80::1%3"), new IPEndPoint(IPAddress.IPv6Loopback, 80), new DnsEndPoint("localhost", 1), CultureInfo.GetCultureInfo("tr-TR"), CultureInfo.InvariantCulture,
            DBNull.Value, new Vector2(1, 2), Matrix4x4.Identity, System.Drawing.Color.Red, new System.Drawing.Rectangle(1, 2, 3, 4), Quaternion.Identity,
        ];
        int i = 0;
        foreach (object value in values)
            yield return new TestCaseData(value).SetArgDisplayNames($"{i++} {value.GetType().Name}");
    }

    [TestCaseSource(nameof(Scalars))]
    public void A_value_arrives_as_it_was(object value)
    {
        Assert.That(Carry.Argument(value), value is IPAddress ? Is.EqualTo(value) : Is.EqualTo(value).And.TypeOf(value.GetType()));
        object declared = typeof(RoundTripTests).GetMethod(nameof(Both), System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)!.MakeGenericMethod(value is IPAddress ? typeof(IPAddress) : value.GetType()).Invoke(null, [value])!;
        Assert.That(declared, Is.EqualTo(value));
    }

    private static object Both<T>(T value)
    {
        Assert.That(Carry.Argument<T[]>([value, value]), Is.EqualTo((T[])[value, value]));
        Assert.That(Carry.Argument(new List<T> { value }), Is.EqualTo(new List<T> { value }));
        Assert.That(Carry.Argument((value, 1)), Is.EqualTo((value, 1)));
        Assert.That(Carry.Result(new Dictionary<string, T> { ["a"] = value }), Is.EqualTo(new Dictionary<string, T> { ["a"] = value }));
        return Carry.Result(value)!;
    }

    [Test]
    public void The_bits_of_numbers_survive()
    {
        float f = BitConverter.UInt32BitsToSingle(0xFFC12345);
        double d = BitConverter.UInt64BitsToDouble(0x7FF0000000000123);
        Assert.That(BitConverter.SingleToUInt32Bits(Carry.Argument(f)), Is.EqualTo(0xFFC12345));
        Assert.That(BitConverter.DoubleToUInt64Bits(Carry.Argument(d)), Is.EqualTo(0x7FF0000000000123));
        Assert.That(decimal.GetBits(Carry.Argument(1.00m)), Is.EqualTo(decimal.GetBits(1.00m)));
        Assert.That(Carry.Argument(DateTime.Now).Kind, Is.EqualTo(DateTimeKind.Local));
    }

    [Test]
    public void Values_that_may_be_missing_travel()
    {
        Assert.That(Carry.Argument<int?>(null), Is.Null);
        Assert.That(Carry.Argument<int?>(5), Is.EqualTo(5));
        Assert.That(Carry.Argument<string?>(null), Is.Null);
        Assert.That(Carry.Argument<Person?>(null), Is.Null);
        Assert.That(Carry.Argument<(int?, Colour?, DateTime?)>((null, Colour.Red, null)), Is.EqualTo(((int?)null, (Colour?)Colour.Red, (DateTime?)null)));
        Assert.That(Carry.Result<int?[]>([1, null]), Is.EqualTo((int?[])[1, null]));
        Assert.That(Carry.Argument<object?[]>([null, 1, "x", 2.5, true, 'c', 7L, new Person("p", 1)]), Is.EqualTo((object?[])[null, 1, "x", 2.5, true, 'c', 7L, new Person("p", 1)]));
    }

    [Test]
    public void Arrays_of_every_form_travel()
    {
        Assert.That(Carry.Argument<int[,]>(new[,] { { 1, 2, 3 }, { 4, 5, 6 } }), Is.EqualTo(new[,] { { 1, 2, 3 }, { 4, 5, 6 } }));
        Assert.That(Carry.Argument<string[,,]>(new string[,,] { { { "a", "b" } }, { { "c", "d" } } }), Is.EqualTo(new string[,,] { { { "a", "b" } }, { { "c", "d" } } }));
        Assert.That(Carry.Result<bool[,]>(new[,] { { true }, { false } }), Is.EqualTo(new[,] { { true }, { false } }));
        Assert.That(Carry.Argument<int[][]>([[1], [], [2, 3]]), Is.EqualTo((int[][])[[1], [], [2, 3]]));
        Assert.That(Carry.Result<string[][]>([["a"], []]), Is.EqualTo((string[][])[["a"], []]));
        Array odd = Array.CreateInstance(typeof(int), [2], [5]);
        odd.SetValue(9, 6);
        Assert.That(Carry.Argument(odd).GetValue(6), Is.EqualTo(9));
        Assert.That(Carry.Argument<Point[]>([new(1, 2)]), Is.EqualTo((Point[])[new(1, 2)]));
        Assert.That(Carry.Argument<object>(new uint[] { 1 }), Is.TypeOf<uint[]>());
        Assert.That(Carry.Argument((int[])(object)new uint[] { uint.MaxValue }), Is.TypeOf<uint[]>(), "an array that is not what its variable says");
        Assert.That(Carry.Argument<object[]>(new string[] { "covariant" }), Is.TypeOf<string[]>());
        Assert.That(Carry.Argument(new int[3, 0, 2]).Rank, Is.EqualTo(3));
    }

    [Test]
    public void Views_of_arrays_travel_as_what_they_show()
    {
        byte[] bytes = [1, 2, 3, 4, 5];
        Assert.That(Carry.Argument(bytes.AsMemory(1, 3)).ToArray(), Is.EqualTo((byte[])[2, 3, 4]));
        Assert.That(Carry.Argument((ReadOnlyMemory<byte>)bytes.AsMemory(1, 3)).ToArray(), Is.EqualTo((byte[])[2, 3, 4]));
        Assert.That(Carry.Result(new ArraySegment<byte>(bytes, 1, 2)), Is.EqualTo((byte[])[2, 3]));
        Assert.That(Carry.Argument<ArraySegment<int>>(default).Array, Is.Null);
        Assert.That(Carry.Argument<Memory<string>>((string[])["a", "b"]).ToArray(), Is.EqualTo((string[])["a", "b"]));
        Assert.That(Carry.Argument("text".AsMemory()).ToString(), Is.EqualTo("text"));
        Assert.That(Carry.Result(ImmutableArray.Create(1, 2)), Is.EqualTo((int[])[1, 2]));
        Assert.That(Carry.Argument<ImmutableArray<string>>(default).IsDefault);
    }

    private static IEnumerable<TestCaseData> Collections()
    {
        IEnumerable[] values =
        [
            new List<int> { 1, 2 }, new List<string?> { "a", null }, new List<DateTime> { DateTime.MinValue }, new HashSet<string> { "a" }, new Queue<int>([1, 2]), new Stack<int>([1, 2]), new LinkedList<string>(["a", "b"]),
            new SortedSet<int> { 3, 1 }, new SortedDictionary<string, int> { ["b"] = 1, ["a"] = 2 }, new SortedList<int, string> { [2] = "b", [1] = "a" }, new Dictionary<int, string?> { [1] = "x", [2] = null },
            new Dictionary<Person, int> { [new("p", 1)] = 2 }, new Dictionary<(int, string), List<int>> { [(1, "a")] = [1] }, new OrderedDictionary<string, int> { ["z"] = 1, ["a"] = 2 },
            new ConcurrentDictionary<string, int>([new("a", 1)]), new ConcurrentQueue<int>([1, 2]), new ConcurrentStack<int>([1, 2]), new ConcurrentBag<int>([1, 2]),
            new ReadOnlyCollection<int>([1, 2]), new ReadOnlyDictionary<string, int>(new Dictionary<string, int> { ["a"] = 1 }), new Collection<int> { 1 }, new ObservableCollection<int> { 1 },
            ImmutableList.Create(1, 2), ImmutableHashSet.Create("a"), ImmutableSortedSet.Create(2, 1), ImmutableQueue.Create(1, 2), ImmutableStack.Create(1, 2), ImmutableDictionary<string, int>.Empty.Add("a", 1),
            ImmutableSortedDictionary<string, int>.Empty.Add("a", 1), FrozenSet.ToFrozenSet([1, 2, 3]), FrozenSet.ToFrozenSet(["a", "bb"]), FrozenDictionary.ToFrozenDictionary(new Dictionary<string, int> { ["a"] = 1, ["b"] = 2 }),
            new ArrayList { 1, "x" }, new BitArray([true, false, true]),
        ];
        foreach (IEnumerable value in values)
            yield return new TestCaseData(value).SetArgDisplayNames(value.GetType().Name + " " + string.Join(" ", value.GetType().GetGenericArguments().Select(t => t.Name)));
    }

    [TestCaseSource(nameof(Collections))]
    public void A_collection_arrives_with_its_items_in_order(IEnumerable value)
    {
        IEnumerable arrived = Carry.Argument(value);
        Assert.That(arrived, Is.EqualTo(value).And.TypeOf(value.GetType()));
        Assert.That(Carry.Argument<object[]>([value, value]) is var twice && ReferenceEquals(twice[0], twice[1]), "shared stays shared");
    }

    [Test]
    public void Collections_keep_their_comparers()
    {
        Assert.That(Carry.Argument(new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase) { ["A"] = 1 })["a"], Is.EqualTo(1));
        Assert.That(Carry.Result(new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "A" }).Contains("a"));
        Assert.That(Carry.Argument(new SortedSet<string>(StringComparer.Create(CultureInfo.GetCultureInfo("de-DE"), true)) { "ä", "B" }).Contains("b"));
        Assert.That(Carry.Argument(new SortedDictionary<int, int>(new Backwards()) { [1] = 1, [2] = 2 }).Keys.First(), Is.EqualTo(2));
        Assert.That(Carry.Argument(new Dictionary<string, int>(StringComparer.Ordinal) { ["A"] = 1 }).ContainsKey("a"), Is.False);
        Assert.That(Carry.Argument(new Dictionary<object, int>(ReferenceEqualityComparer.Instance)).Comparer, Is.Not.Null);
        var queue = new PriorityQueue<string, int>([("b", 2), ("a", 1)]);
        Assert.That(Carry.Argument(queue).Dequeue(), Is.EqualTo("a"));
    }

    private sealed class Backwards : IComparer<int>
    {
        public int Compare(int x, int y) => y.CompareTo(x);
    }

    private sealed class Bag : IEnumerable<int>
    {
        private readonly List<int> _items = [];

        internal string? Label { get; init; }

        public void Add(int item) => _items.Add(item);

        public IEnumerator<int> GetEnumerator() => _items.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class Names : List<string>
    {
        internal int Extra = 1;
    }

    private sealed class Lookup() : Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);

    [Test]
    public void Collections_of_ones_own_travel()
    {
        Bag bag = Carry.Argument(new Bag { 1, 2 });
        Assert.That(bag, Is.EqualTo((int[])[1, 2]));
        Assert.That(Carry.Result(new Bag { Label = "x" }).Label, Is.EqualTo("x"));
        Names names = Carry.Argument(new Names { "a", "b" });
        Assert.That(names, Is.EqualTo((string[])["a", "b"]));
        Assert.That(Carry.Argument(new Names { Extra = 7 }).Extra, Is.EqualTo(7));
        Assert.That(Carry.Argument(new Lookup { ["K"] = 1 })["k"], Is.EqualTo(1));
    }

    private class Shape;

    private sealed class Circle : Shape
    {
        public double Radius;
    }

    private sealed class Node
    {
        public int Value;
        public Node? Next;
        public List<Node> All = [];
        [NonSerialized] public SemaphoreSlim? Gate = new(1);
    }

    [Test]
    public void Graphs_keep_cycles_sharing_and_actual_types()
    {
        var a = new Node { Value = 1 };
        var b = new Node { Value = 2, Next = a };
        a.Next = b;
        a.All.AddRange([a, b, a]);
        Node arrived = Carry.Argument(a);
        Assert.That(arrived.Next!.Next, Is.SameAs(arrived));
        Assert.That(arrived.All[2], Is.SameAs(arrived));
        Assert.That(arrived.Gate, Is.Null, "[NonSerialized] is left out");
        Assert.That(Carry.Result(a).Next!.Next!.Value, Is.EqualTo(1));
        Assert.That(Carry.Argument<Shape[]>([new Circle { Radius = 2 }, new Shape()])[0], Is.TypeOf<Circle>());
        Assert.That(((Circle)Carry.Argument(new Dictionary<string, Shape> { ["c"] = new Circle { Radius = 3 } })["c"]).Radius, Is.EqualTo(3));
        Assert.That(Carry.Argument<IReadOnlyList<int>>((int[])[1]), Is.TypeOf<int[]>());
        var anonymous = new { X = 1, Y = "a" };
        Assert.That(Carry.Argument(anonymous), Is.EqualTo(anonymous));
        object gate = new();
        Assert.That(Carry.Argument<object[]>([gate, gate]) is var gates && ReferenceEquals(gates[0], gates[1]));
        object[] self = new object[1];
        self[0] = self;
        Assert.That(Carry.Argument(self) is var loop && ReferenceEquals(loop[0], loop));
        var dictionary = new Dictionary<Node, object>();
        dictionary[a] = dictionary;
        Assert.That(Carry.Argument(dictionary) is var map && ReferenceEquals(map.Values.Single(), map) && map.ContainsKey(map.Keys.Single()));
    }

    [Test]
    public void Types_patterns_and_texts_travel()
    {
        Assert.That(Carry.Argument(typeof(Dictionary<string, Person[]>)), Is.EqualTo(typeof(Dictionary<string, Person[]>)));
        Assert.That(Carry.Argument(typeof(List<>)), Is.EqualTo(typeof(List<>)));
        Regex regex = Carry.Argument(new Regex("a+(b)", RegexOptions.IgnoreCase, TimeSpan.FromSeconds(1)));
        Assert.That((regex.IsMatch("AAB"), regex.MatchTimeout), Is.EqualTo((true, TimeSpan.FromSeconds(1))));
        Assert.That(Carry.Argument(Encoding.UTF8).GetBytes("é"), Is.EqualTo(Encoding.UTF8.GetBytes("é")));
        Assert.That(Carry.Argument(Encoding.Latin1).CodePage, Is.EqualTo(28591));
        Assert.That(Carry.Result(Encoding.Unicode).CodePage, Is.EqualTo(1200));
        Assert.That(Carry.Argument(new StringBuilder("abc")).Append('d').ToString(), Is.EqualTo("abcd"));
        Assert.That(Carry.Argument(TimeZoneInfo.Utc).Id, Is.EqualTo("UTC"));
        var stream = new MemoryStream();
        stream.Write("hello"u8);
        stream.Position = 2;
        Assert.That(new StreamReader(Carry.Argument(stream)).ReadToEnd(), Is.EqualTo("llo"));
        Assert.That(Carry.Argument(new Random(5)).Next(), Is.EqualTo(new Random(5).Next()));
        Assert.That(Carry.Argument(new Lock()), Is.Not.Null);
        Assert.That(Carry.Argument((default(CancellationToken), 1)).Item1.CanBeCanceled, Is.False);
        Assert.That(Carry.Argument<Exception>(new ArgumentException("bad", "name")).Message, Is.EqualTo("bad (Parameter 'name')"));
    }

    [Test]
    public void A_culture_of_the_thread_changes_nothing()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo("ar-SA");
            Assert.That(Carry.Argument((1.5, -3, DateTime.UnixEpoch, 1.5m, new Version(1, 2))), Is.EqualTo((1.5, -3, DateTime.UnixEpoch, 1.5m, new Version(1, 2))));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}
