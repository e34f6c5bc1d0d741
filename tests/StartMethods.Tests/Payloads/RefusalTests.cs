using System.Diagnostics;
using System.Net.Sockets;
using System.Reflection.Emit;
using System.Runtime.InteropServices;
using StartMethods.Payloads;

namespace StartMethods.Tests;

[Parallelizable(ParallelScope.All)]
public class RefusalTests
{
    private sealed class WorkerPool
    {
        internal List<Slot> Slots = [new()];
        internal Dictionary<string, object?> Named = new() { ["main"] = Thread.CurrentThread };
        internal object? Property { get; init; }
    }

    private sealed class Slot
    {
        internal object? Socket = new SemaphoreSlim(1);
    }

    private static PayloadException Refusal(Delegate body) => Assert.Throws<PayloadException>(() => JobCodec.Encode(body))!;

    [Test]
    public void The_error_names_the_way_to_the_culprit_and_the_remedy()
    {
        var pool = new WorkerPool();
        PayloadException e = Refusal(() => pool.Slots.Count);
        Assert.That(e.Path, Does.Match(@"^lambda at RefusalTests\.cs:\d+ → captured 'pool' → WorkerPool\.Slots\[0\] → Slot\.Socket$"));
        Assert.That(e.Message, Does.StartWith(e.Path + ": ").And.Contain("SemaphoreSlim").And.Contain("Create it in the body"));
        pool.Slots.Clear();
        Assert.That(Refusal(() => pool.Slots.Count).Path, Does.EndWith("captured 'pool' → WorkerPool.Named[\"main\"]"));
        pool = new WorkerPool { Slots = [], Named = [], Property = Task.CompletedTask };
        Assert.That(Refusal(() => pool.Slots.Count).Path, Does.EndWith("captured 'pool' → WorkerPool.Property"));
    }

    [Test]
    public void The_line_is_that_of_the_lambda()
    {
        var gate = new SemaphoreSlim(1);
        int line = new StackFrame(0, true).GetFileLineNumber() + 1;
        Assert.That(Refusal(() => gate.Release()).Path, Does.StartWith($"lambda at RefusalTests.cs:{line} "));
        Assert.That(Refusal(async () => { await Task.Yield(); gate.Release(); }).Path, Does.StartWith($"lambda at RefusalTests.cs:{line + 1} "));
        void Named() => gate.Release();
        Assert.That(Refusal(Named).Path, Does.StartWith($"local function 'Named' at RefusalTests.cs:{line + 2} → captured 'gate'"));
        Assert.That(Refusal(new Action(new RefusalTests { _held = gate }.Method)).Path, Does.StartWith("method RefusalTests.Method at RefusalTests.cs:").And.EndWith("RefusalTests._held"));
        Func<int> inner = () => gate.Release();
        Assert.That(Refusal(() => inner()).Path, Does.Match(@"^lambda at .*:\d+ → captured 'inner' → lambda at RefusalTests\.cs:\d+ → captured 'gate'$"));
        Assert.That(new RefusalTests { _held = gate }.CapturesThis(), Does.Contain("captured 'this' → RefusalTests._held"));
    }

    private object? _held;

    private void Method() => GC.KeepAlive(_held);

    private string CapturesThis()
    {
        int x = 1;
        return Refusal(() => { GC.KeepAlive(_held); return x; }).Path!;
    }

    private static IEnumerable<TestCaseData> Untransportable()
    {
        object[] values =
        [
            Thread.CurrentThread, Task.FromResult(1), new TaskCompletionSource(), new CancellationTokenSource(), new CancellationTokenSource().Token, new Timer(_ => { }), new PeriodicTimer(TimeSpan.FromHours(1)), new SemaphoreSlim(1),
            new ManualResetEvent(false), new ManualResetEventSlim(), new ReaderWriterLockSlim(), new HttpClient(), new WeakReference(""), new WeakReference<string>(""), (nint)5, GCHandle.Alloc(""), new ThreadLocal<int>(), new AsyncLocal<int>(),
            TextWriter.Null, new StringReader("x"), Stream.Null, Process.GetCurrentProcess(), new ConfigurableLogger(), Enumerable.Range(0, 3).Select(x => x + 1), typeof(string).Assembly, typeof(string).GetMethod("Clone")!,
            new System.Buffers.ReadOnlySequence<byte>(new byte[3]), new BlockingList(), new System.Threading.Channels.UnboundedChannelOptions(),
        ];
        foreach (object value in values)
            yield return new TestCaseData(value).SetArgDisplayNames(value.GetType().Name);
    }

    private sealed class BlockingList
    {
        internal System.Collections.Concurrent.BlockingCollection<int> Items = [];
    }

    private sealed class ConfigurableLogger : IServiceProvider
    {
        public object? GetService(Type serviceType) => null;
    }

    [TestCaseSource(nameof(Untransportable))]
    public void What_cannot_travel_is_refused_before_anything_is_sent(object value)
    {
        PayloadException e = Carry.Refused(value);
        Assert.That(e.Path, Does.StartWith("argument"));
        Assert.That(e.Message, Does.Contain("cannot travel"));
        Assert.That(e.Message.TrimEnd('.').Split(". ").Length, Is.GreaterThanOrEqualTo(2), "a remedy follows");
    }

    [Test]
    public void A_captured_token_is_told_to_be_a_parameter()
    {
        using var source = new CancellationTokenSource();
        CancellationToken token = source.Token;
        Assert.That(Refusal(() => token.ThrowIfCancellationRequested()).Message, Does.Contain("CancellationToken parameter"));
    }

    [Test]
    public void A_type_that_was_generated_at_run_time_is_refused()
    {
        AssemblyBuilder assembly = AssemblyBuilder.DefineDynamicAssembly(new("Made"), AssemblyBuilderAccess.Run);
        object value = Activator.CreateInstance(assembly.DefineDynamicModule("m").DefineType("T", System.Reflection.TypeAttributes.Public).CreateType())!;
        Assert.That(Carry.Refused(value).Message, Does.Contain("'Made' was generated at run time"));
    }

    [Test]
    public void A_closed_handle_is_refused()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Dispose();
        Assert.That(Carry.Refused(socket).Message, Does.Contain("closed").Or.Contain("Disposed"));
    }

    [Test]
    public void An_immutable_collection_in_a_cycle_is_refused()
    {
        var holder = new object[1];
        holder[0] = System.Collections.Immutable.ImmutableList.Create((object)holder);
        Assert.That(Carry.Argument(holder) is var arrived && ReferenceEquals(((IReadOnlyList<object>)arrived[0])[0], arrived), "through the array it is possible");
        Assert.That(Carry.Refused(((System.Collections.Immutable.ImmutableList<object>)holder[0])).Message, Does.Contain("contains itself"));
    }

    [Test]
    public void A_result_that_cannot_come_back_says_so()
    {
        PayloadException e = Assert.Throws<PayloadException>(() => ResultCodec.Encode(new WorkerPool(), typeof(WorkerPool)))!;
        Assert.That(e.Path, Is.EqualTo("result → WorkerPool.Slots[0] → Slot.Socket"));
        Assert.That(Assert.Throws<PayloadException>(() => ResultCodec.Encode((Func<int>)(() => 1), typeof(Func<int>)))!.Message, Does.Contain("Code never comes back"));
        Assert.That(Assert.Throws<PayloadException>(() => ResultCodec.Encode(typeof(int), typeof(Type)))!.Message, Does.Contain("may not name types"));
        Assert.That(Assert.Throws<PayloadException>(() => ResultCodec.Encode(new Version(1, 2), typeof(object)))!.Message, Does.Contain("Declare Version itself"));
    }

    [Test]
    public void A_getter_or_serializer_that_throws_is_named() =>
        Assert.That(Assert.Throws<PayloadException>(() => JobCodec.Encode((Action<Version>)(static _ => { }), new Version(1, 2), true, new Broken()))!,
            Has.Message.Contains("argument: Reading the value failed: InvalidOperationException: broken").And.InnerException.InstanceOf<InvalidOperationException>());

    private sealed class Broken : IPayloadSerializer
    {
        public bool CanSerialize(Type type) => type == typeof(Version);

        public void Serialize(object value, Type type, System.Buffers.IBufferWriter<byte> output) => throw new InvalidOperationException("broken");

        public object Deserialize(ReadOnlyMemory<byte> input, Type type) => throw new InvalidOperationException("broken");
    }
}
