using System.Text.Json.Serialization;
using StartMethods.Payloads;

namespace StartMethods.Tests;

/// <summary>A child may send anything. The parent creates what the declared type allows, or reports an error.</summary>
[Parallelizable(ParallelScope.All)]
public class HostileResultTests
{
    public abstract class Animal
    {
        public string Name = "";
    }

    public sealed class Dog : Animal;

    public class Generic<T>
    {
        public T? Value;
    }

    public sealed class Special<T> : Generic<T>;

    [JsonDerivedType(typeof(Elsewhere))]
    public interface IMarked;

    public sealed class Elsewhere : IMarked
    {
        public int X;
    }

    public sealed class Holder
    {
        public object? Anything;
        public Animal? Pet;
        public IReadOnlyList<int>? Numbers;
    }

    [Test]
    public void What_the_declared_type_allows_comes_back()
    {
        Assert.That(Carry.Result<Animal>(new Dog { Name = "Rex" }), Is.TypeOf<Dog>());
        Assert.That(Carry.Result<Animal>(new Dog { Name = "Rex" }).Name, Is.EqualTo("Rex"));
        Assert.That(((Special<int>)Carry.Result<Generic<int>>(new Special<int> { Value = 3 })).Value, Is.EqualTo(3));
        Assert.That(((Elsewhere)Carry.Result<IMarked>(new Elsewhere { X = 4 })).X, Is.EqualTo(4));
        Holder holder = Carry.Result(new Holder { Anything = new[] { "a" }, Pet = new Dog(), Numbers = [1, 2] });
        Assert.That(holder.Anything, Is.EqualTo((string[])["a"]));
        Assert.That(holder.Pet, Is.TypeOf<Dog>());
        Assert.That(Carry.Result<IReadOnlyDictionary<string, int>>(new Dictionary<string, int> { ["a"] = 1 })["a"], Is.EqualTo(1));
        Assert.That(Carry.Result<IEnumerable<KeyValuePair<string, int>>>(new Dictionary<string, int> { ["a"] = 1 }), Is.TypeOf<Dictionary<string, int>>());
        Assert.That(Carry.Result<IEnumerable<int>>(Enumerable.Range(1, 3).Where(n => n > 1)), Is.EqualTo((int[])[2, 3]), "a query comes back as its items");
        Assert.That(Carry.Result<object>(5L), Is.EqualTo(5L));
        Assert.That(Carry.Result<object[]>([1, "a", null!, new int[] { 1 }]), Is.EqualTo((object[])[1, "a", null!, new int[] { 1 }]));
    }

    private static object? Decode(Type declared, Action<MessagePackWriter> write)
    {
        var writer = new MessagePackWriter();
        writer.WriteInt32(WireFormat.Version);
        write(writer);
        return ResultCodec.Decode(new ReceivedPayload(writer.Written.ToArray()), declared);
    }

    private static void Named(MessagePackWriter writer, string name)
    {
        writer.WriteArrayHeader(2);
        writer.WriteString(name);
        writer.WriteArrayHeader(0);
    }

    [TestCase("System.Diagnostics.Process")]
    [TestCase("System.IO.FileInfo")]
    [TestCase("System.Version")]
    [TestCase("StartMethods.Tests.HostileResultTests+Dog")]
    [TestCase("System.Collections.Generic.List`1[System.Int32]")]
    [TestCase("NoSuch.Type, NoSuchAssembly")]
    public void No_type_is_created_because_the_payload_names_it(string name)
    {
        int before = AppDomain.CurrentDomain.GetAssemblies().Length;
        Assert.That(() => Decode(typeof(object), writer => Named(writer, name)), Throws.TypeOf<PayloadException>());
        Assert.That(() => Decode(typeof(IMarked), writer => Named(writer, name)), Throws.TypeOf<PayloadException>());
        Assert.That(AppDomain.CurrentDomain.GetAssemblies().Count(assembly => assembly.FullName!.Contains("NoSuch")), Is.Zero);
        Assert.That(before, Is.Positive);
    }

    [Test]
    public void A_type_definition_a_function_or_an_abstract_type_is_refused()
    {
        using EncodedPayload trusted = JobCodec.Encode((Action<object>)(static _ => { }), new Elsewhere(), true);
        byte[] argument = trusted.Bytes.Span[trusted.Bytes.Span.IndexOf((byte)0xC9)..].ToArray();
        Assert.That(() => Decode(typeof(object), writer => { writer.WriteArrayHeader(2); writer.WriteRaw(argument); }), Throws.TypeOf<PayloadException>());
        Assert.That(() => Decode(typeof(Type), writer => { writer.WriteArrayHeader(2); writer.WriteNil(); writer.WriteExtension(WireFormat.TypeNumber, 1); }), Throws.TypeOf<PayloadException>().With.Message.Contains("names a type"));
        Assert.That(() => Decode(typeof(Action), writer => { writer.WriteArrayHeader(2); writer.WriteNil(); }), Throws.TypeOf<PayloadException>());
        Assert.That(() => Decode(typeof(Animal), writer => { writer.WriteArrayHeader(2); writer.WriteNil(); writer.WriteArrayHeader(1); writer.WriteString("x"); }), Throws.TypeOf<PayloadException>());
        Assert.That(() => Decode(typeof(Dog), writer => writer.WriteExtension(WireFormat.BackReference, 0)), Throws.TypeOf<PayloadException>());
        Assert.That(() => Decode(typeof(int), writer => writer.WriteString("5")), Throws.TypeOf<PayloadException>());
        Assert.That(() => Decode(typeof(int), writer => { writer.WriteInt32(5); writer.WriteInt32(6); }), Throws.TypeOf<PayloadException>());
        Assert.That(() => Decode(typeof(void), writer => writer.WriteInt32(1)), Throws.TypeOf<PayloadException>());
    }

    [Test]
    public void A_reference_to_an_object_of_another_type_is_refused() =>
        Assert.That(() => Decode(typeof((Dog, Holder)), writer =>
        {
            writer.WriteArrayHeader(2);
            writer.WriteArrayHeader(1);
            writer.WriteString("Rex");
            writer.WriteExtension(WireFormat.BackReference, 0);
        }), Throws.TypeOf<PayloadException>().With.Message.Contains("a reference to a"));

    private static readonly byte[][] Lengths = [[0xDD, 0x7F, 0xFF, 0xFF, 0xFF], [0xDD, 0x80, 0, 0, 0], [0xDD, 0xFF, 0xFF, 0xFF, 0xFF], [0xC6, 0x7F, 0xFF, 0xFF, 0xFF], [0xC6, 0xFF, 0xFF, 0xFF, 0xFF], [0xDB, 0x7F, 0xFF, 0xFF, 0xF0], [0xDF, 0x7F, 0xFF, 0xFF, 0xFF], [0xC9, 0x7F, 0xFF, 0xFF, 0xFF, 1], [0xDC, 0xFF, 0xFF]];

    [Test]
    public void An_announced_length_allocates_nothing()
    {
        foreach (Type type in (Type[])[typeof(int[]), typeof(string[]), typeof(List<string>), typeof(List<int>), typeof(Dictionary<string, int>), typeof(string), typeof(decimal[]), typeof(int[,]), typeof(object[,]), typeof(HashSet<int>), typeof(System.Numerics.BigInteger), typeof(Memory<byte>)])
        {
            foreach (byte[] length in Lengths)
            {
                Assert.That(() => Decode(type, writer => writer.WriteRaw(length)), Throws.TypeOf<PayloadException>()); // warm
                long before = GC.GetAllocatedBytesForCurrentThread();
                try
                {
                    Decode(type, writer => writer.WriteRaw(length));
                }
                catch (PayloadException)
                {
                }
                Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(64 * 1024), $"{type} {Convert.ToHexString(length)}");
            }
        }
        Assert.That(() => Decode(typeof(int[,]), writer =>
        {
            writer.WriteArrayHeader(4);
            writer.WriteInt32(int.MaxValue);
            writer.WriteInt32(0);
            writer.WriteInt32(int.MaxValue);
            writer.WriteInt32(0);
            writer.WriteBinary([]);
        }), Throws.TypeOf<PayloadException>());
        Assert.That(() => Decode(typeof(string[,]), writer =>
        {
            writer.WriteArrayHeader(4);
            writer.WriteInt32(65536);
            writer.WriteInt32(0);
            writer.WriteInt32(65536);
            writer.WriteInt32(0);
            writer.WriteArrayHeader(0);
        }), Throws.TypeOf<PayloadException>());
    }

    [Test]
    public void Endless_nesting_is_an_error_and_no_stack_overflow()
    {
        Assert.That(() => Decode(typeof(object[]), writer =>
        {
            writer.WriteArrayHeader(2);
            writer.WriteNil();
            for (int i = 0; i < 100_000; i++)
            {
                writer.WriteArrayHeader(1);
                writer.WriteArrayHeader(2);
                writer.WriteString("System.Object[]");
            }
        }), Throws.TypeOf<PayloadException>().With.Message.Contains("nested"));
        Assert.That(() => Decode(typeof(Nested), writer =>
        {
            for (int i = 0; i < 100_000; i++)
                writer.WriteArrayHeader(1);
        }), Throws.TypeOf<PayloadException>().With.Message.Contains("nested"));
    }

    public sealed class Nested
    {
        public Nested? Inner;
    }

    [Test]
    public void An_object_cannot_be_filled_twice_or_left_empty()
    {
        Assert.That(() => Decode(typeof(Nested), writer => { writer.WriteArrayHeader(1); writer.WriteNil(); writer.WriteArrayHeader(2); writer.WriteInt32(0); writer.WriteArrayHeader(1); writer.WriteNil(); }), Throws.TypeOf<PayloadException>().With.Message.Contains("twice"));
        Assert.That(() => Decode(typeof(Nested), writer => { writer.WriteExtension(WireFormat.Deferred, 0); writer.WriteNil(); }), Throws.TypeOf<PayloadException>().With.Message.Contains("no content"));
    }
}
