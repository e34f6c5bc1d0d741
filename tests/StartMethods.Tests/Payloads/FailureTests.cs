using System.Collections;
using System.ComponentModel;
using System.Net.Sockets;
using StartMethods.Payloads;

namespace StartMethods.Tests;

[Parallelizable(ParallelScope.All)]
public class FailureTests
{
    private static Exception Thrown(Exception exception)
    {
        try
        {
            throw exception;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    [Test]
    public void An_exception_comes_back_as_its_own_type_with_the_remote_stack()
    {
        Exception e = Carry.Failure(Thrown(new InvalidOperationException("no", new FormatException("inner")) { HResult = 77, Data = { ["key"] = 5 } }));
        Assert.That(e, Is.TypeOf<InvalidOperationException>().With.Message.EqualTo("no"));
        Assert.That(e.InnerException, Is.TypeOf<FormatException>().With.Message.EqualTo("inner"));
        Assert.That((e.HResult, e.Data["key"]), Is.EqualTo((77, 5)));
        Assert.That(Thrown(e).StackTrace, Does.Contain(nameof(Thrown)));
        Assert.That(e.ToString(), Does.Contain("FailureTests.Thrown"));
    }

    [Test]
    public void The_framework_and_the_application_agree_on_messages()
    {
        Assert.That(Carry.Failure(new ArgumentNullException("name")), Is.TypeOf<ArgumentNullException>().With.Message.EqualTo(new ArgumentNullException("name").Message));
        Assert.That(Carry.Failure(new ObjectDisposedException("thing")).Message, Does.Contain("thing"));
        Assert.That(Carry.Failure(new OperationCanceledException("stop")), Is.TypeOf<OperationCanceledException>());
        Assert.That(Carry.Failure(new TaskCanceledException()), Is.TypeOf<TaskCanceledException>());
        Assert.That(Carry.Failure(new Win32Exception(2)), Is.TypeOf<Win32Exception>().With.Property("NativeErrorCode").EqualTo(2));
        Assert.That(Carry.Failure(new SocketException((int)SocketError.ConnectionRefused)).Message, Does.Contain("refused"));
        Assert.That(Carry.Failure(new OwnException("mine")), Is.TypeOf<OwnException>());
        Assert.That(Carry.Failure(new PayloadException("text")), Is.TypeOf<PayloadException>());
    }

    private sealed class OwnException(string message) : Exception(message);

    private sealed class NoConstructorException(int a, int b) : Exception($"{a}+{b}");

    [Test]
    public void An_exception_that_cannot_be_rebuilt_is_told_as_text()
    {
        var e = (ChildFailedException)Carry.Failure(Thrown(new NoConstructorException(1, 2)));
        Assert.That((e.Message, e.RemoteType), Is.EqualTo(("1+2", typeof(NoConstructorException).FullName)));
        Assert.That(e.RemoteStackTrace, Does.Contain(nameof(Thrown)));
        Assert.That(e.ToString(), Does.Contain("FailureTests.Thrown"));
        Assert.That(Carry.Failure(new GenericException<int>("g")), Is.TypeOf<ChildFailedException>().With.Property("RemoteType").Contains("GenericException"));
    }

    private sealed class GenericException<T>(string message) : Exception(message);

    [Test]
    public void All_causes_of_an_aggregate_come_back()
    {
        var e = (AggregateException)Carry.Failure(new AggregateException("several", new FormatException("a"), new AggregateException(new OwnException("b"))));
        Assert.That(e.InnerExceptions[0].Message, Is.EqualTo("a"));
        Assert.That(((AggregateException)e.InnerExceptions[1]).InnerException, Is.TypeOf<OwnException>());
        Assert.That(e.Message, Does.StartWith("several (a)"));
        Assert.That(Carry.Failure(new AggregateException("three (3) parts", new FormatException("a"))).Message, Is.EqualTo("three (3) parts (a)"));
    }

    private sealed class HostileException : Exception
    {
        public override string Message => throw new InvalidOperationException("Message");

        public override string? StackTrace => throw new InvalidOperationException("StackTrace");

        public override IDictionary Data => throw new InvalidOperationException("Data");

        public override string ToString() => throw new InvalidOperationException("ToString");
    }

    [Test]
    public void Whatever_an_exception_does_there_is_an_answer()
    {
        Assert.That(() => Carry.Failure(new HostileException()), Throws.Nothing);
        Exception huge = Carry.Failure(new OwnException(new string('x', 50_000_000)));
        Assert.That(huge.Message.Length, Is.LessThan(100_000));
        Assert.That(huge.Message, Does.EndWith("more characters)"));
        Exception deep = new OwnException("0");
        for (int i = 1; i < 1000; i++)
            deep = new InvalidOperationException($"{i}", deep);
        Assert.That(Carry.Failure(deep).Message, Is.EqualTo("999"));
        Assert.That(Carry.Failure(new AggregateException(Enumerable.Range(0, 10_000).Select(i => new OwnException(new string('y', 10_000))))), Is.TypeOf<AggregateException>());
        Assert.That(Carry.Failure(new OwnException("lone \uD800")).Message, Is.EqualTo("lone \uD800"));
    }

    [Test]
    public void A_payload_may_not_make_the_parent_load_or_create_anything_else()
    {
        int created = NotAnException.Created;
        Assert.That(Forged(typeof(NotAnException)), Is.TypeOf<ChildFailedException>());
        Assert.That(NotAnException.Created, Is.EqualTo(created));
        Assert.That(Forged(typeof(OwnException)), Is.TypeOf<OwnException>(), "the same bytes for an exception work");
        Assert.That(Forged("StartMethods.Nowhere", "System.Private.Xml", 0x02000005), Is.TypeOf<ChildFailedException>());
        Assert.That(Forged(typeof(OwnException).FullName!, typeof(OwnException).Assembly.GetName().Name, typeof(NotAnException).MetadataToken), Is.TypeOf<ChildFailedException>(), "token and name disagree");
        Assert.That(Forged("x", typeof(OwnException).Assembly.GetName().Name, 0x1B000001), Is.TypeOf<ChildFailedException>(), "no type definition");
        Assert.That(Forged("x", typeof(OwnException).Assembly.GetName().Name, 0x02FFFFFF), Is.TypeOf<ChildFailedException>());
    }

    private sealed class NotAnException
    {
        internal static int Created;

        public NotAnException(string message, Exception? inner) => Created++;
    }

    private static Exception Forged(Type type) => Forged(type.FullName!, type.Assembly.GetName().Name, type.MetadataToken);

    private static Exception Forged(string type, string? assembly, int token)
    {
        var writer = new MessagePackWriter();
        writer.WriteInt32(WireFormat.Version);
        writer.WriteArrayHeader(9);
        writer.WriteString(type);
        writer.WriteString(assembly);
        writer.WriteInt32(token);
        writer.WriteString("message");
        writer.WriteNil();
        writer.WriteInt32(0);
        writer.WriteInt32(0);
        writer.WriteMapHeader(0);
        writer.WriteArrayHeader(0);
        return FailureCodec.Decode(new ReceivedPayload(writer.Written.ToArray()));
    }
}
