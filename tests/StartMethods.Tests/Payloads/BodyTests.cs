using StartMethods.Payloads;

namespace StartMethods.Tests;

[Parallelizable(ParallelScope.All)]
public class BodyTests
{
    private readonly int _field = 5;

    private static int Twice(int x) => x * 2;

    private static T Same<T>(T x) => x;

    private int AddField(int x) => x + _field;

    [Test]
    public void A_lambda_carries_its_captured_variables()
    {
        int x = 40, y = 2;
        string text = "héllo";
        Assert.That(Carry.Run(() => x + y), Is.EqualTo(42));
        Assert.That(Carry.Run(() => text + x), Is.EqualTo("héllo40"));
    }

    [Test]
    public void A_lambda_without_captures_runs() => Assert.That(Carry.Run(static () => 7), Is.EqualTo(7));

    [Test]
    public void Static_and_instance_methods_run_as_bodies()
    {
        Assert.That(Carry.Job(new Func<int, int>(Twice), 21, true).InvokeAsync(default).Result, Is.EqualTo(42));
        Assert.That(Carry.Job(new Func<int, int>(new BodyTests().AddField), 1, true).InvokeAsync(default).Result, Is.EqualTo(6));
        Assert.That(Carry.Run(new Func<string>("abc".ToUpperInvariant)), Is.EqualTo("ABC"));
        Assert.That(Carry.Run(new Func<string>(new Version(1, 2).ToString)), Is.EqualTo("1.2"), "a method that the object overrides");
        Assert.That(Carry.Run(new Func<string>(new Money(5).Text)), Is.EqualTo("5"), "a method of a structure");
        Assert.That(Carry.Run(new Func<int>(((IEnumerable<int>)(int[])[1, 2]).Sum)), Is.EqualTo(3), "an extension method bound to its first argument");
    }

    [Test]
    public void Local_functions_run_as_bodies_and_inside_them()
    {
        int offset = 3;
        int Local(int x) => x + offset;
        int Outer() => Local(1) + Inner(2);
        int Inner(int x) => x * offset;
        Assert.That(Carry.Run(Outer), Is.EqualTo(10));
        Assert.That(Carry.Run(() => Local(4)), Is.EqualTo(7));
    }

    [Test]
    public void Generic_methods_types_and_closures_run()
    {
        Assert.That(Carry.Job(new Func<string, string>(Same), "x", true).InvokeAsync(default).Result, Is.EqualTo("x"));
        Assert.That(Generic("a", 1), Is.EqualTo("a1"));
        Assert.That(new Box<Guid> { Value = Guid.Empty }.Read(), Is.EqualTo(Guid.Empty.ToString()));
    }

    private readonly record struct Money(int Cents)
    {
        internal string Text() => $"{Cents}";
    }

    private static string Generic<T1, T2>(T1 a, T2 b) => Carry.Run(() => $"{Same(a)}{b}");

    private sealed class Box<T>
    {
        internal T? Value;

        internal string Read() => Carry.Run(() => $"{Value}");
    }

    [Test]
    public void Async_bodies_of_every_kind_yield_their_result()
    {
        int x = 6;
        Assert.That(Carry.Run((Delegate)(async () => { await Task.Yield(); return x * 7; })), Is.EqualTo(42));
        Assert.That(Carry.Run((Delegate)(Func<ValueTask<int>>)(async () => { await Task.Yield(); return x; })), Is.EqualTo(6));
        Assert.That(Carry.Run((Delegate)(Func<Task>)(async () => await Task.Yield())), Is.Null);
        Assert.That(Carry.Run((Delegate)(Func<ValueTask>)(async () => await Task.Yield())), Is.Null);
        Assert.That(Carry.Job((Func<Task>)(async () => await Task.Yield())).ResultType, Is.EqualTo(typeof(void)));
        Assert.That(Carry.Job((Func<Task<string>>)(async () => { await Task.Yield(); return ""; })).ResultType, Is.EqualTo(typeof(string)));
    }

    [Test]
    public void A_body_with_a_token_gets_the_one_of_the_child()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        Job job = Carry.Job((Func<CancellationToken, bool>)(static token => token.IsCancellationRequested));
        Assert.That(job.TakesToken);
        Assert.That(job.InvokeAsync(source.Token).Result, Is.True);
        Assert.That(Carry.Job((Func<int, CancellationToken, int>)(static (x, token) => token.IsCancellationRequested ? x : 0), 9, true).InvokeAsync(source.Token).Result, Is.EqualTo(9));
        Assert.That(Carry.Job((Action<string, CancellationToken>)(static (_, token) => token.ThrowIfCancellationRequested()), "", true).InvokeAsync(source.Token).Exception!.InnerException, Is.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void What_a_body_throws_is_in_its_task()
    {
        Job job = Carry.Job((Action)(static () => throw new InvalidOperationException("no")));
        Task<object?> task = job.InvokeAsync(default);
        Assert.That(task.IsFaulted);
        Assert.That(task.Exception!.InnerException, Is.InstanceOf<InvalidOperationException>());
    }

    [Test]
    public void A_recursive_lambda_and_delegates_in_variables_travel()
    {
        Func<int, int> factorial = null!;
        factorial = n => n <= 1 ? 1 : n * factorial(n - 1);
        int step = 2;
        Func<int, int> add = x => x + step;
        Assert.That(Carry.Run(() => factorial(5) + add(1)), Is.EqualTo(123));
        Assert.That(Carry.Job(factorial, 6, true).InvokeAsync(default).Result, Is.EqualTo(720));
    }

    [Test]
    public void Loops_and_nested_scopes_carry_the_right_variables()
    {
        int outer = 100;
        var bodies = new List<Func<int>>();
        for (int i = 0; i < 3; i++)
        {
            int copy = i;
            bodies.Add(() => outer + copy);
        }
        Assert.That(bodies.Select(Carry.Run), Is.EqualTo((int[])[100, 101, 102]));
    }

    [Test]
    public void A_body_that_assigns_a_captured_variable_only_changes_its_copy()
    {
        int counter = 1;
        Assert.That(Carry.Run(() => ++counter), Is.EqualTo(2));
        Assert.That(counter, Is.EqualTo(1));
    }

    [Test]
    public void Two_delegates_in_one_list_cannot_travel()
    {
        Action body = static () => { };
        body += static () => { };
        Assert.That(() => JobCodec.Encode(body), Throws.TypeOf<PayloadException>().With.Message.Contains("combines 2 methods"));
    }

    [Test]
    public void A_compiled_expression_cannot_travel()
    {
        System.Linq.Expressions.Expression<Func<int>> expression = () => 1;
        Assert.That(() => JobCodec.Encode(expression.Compile()), Throws.TypeOf<PayloadException>().With.Message.Contains("generated at run time"));
    }

    [Test]
    public void A_wrong_number_of_arguments_is_an_argument_error()
    {
        Assert.That(() => JobCodec.Encode(static () => { }, 1, true), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => JobCodec.Encode(static (int x) => { }), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => JobCodec.Encode(static (int x, int y) => { }, 1, true), Throws.TypeOf<PayloadException>().With.Message.Contains("at most one argument"));
    }

    [Test]
    public void A_session_names_a_function_once_and_then_by_number()
    {
        var writing = new PayloadSession();
        var reading = new PayloadSession();
        var sizes = new List<int>();
        for (int i = 0; i < 5; i++)
        {
            object value = i % 2 == 0 ? new Version(1, i) : new SessionValue { Number = i };
            using EncodedPayload payload = JobCodec.Encode(() => $"{value}{i}", session: writing);
            sizes.Add(payload.Bytes.Length);
            Assert.That(JobCodec.Decode(new ReceivedPayload(payload.Bytes.ToArray()), reading).InvokeAsync(default).Result, Is.EqualTo($"{value}{i}"));
        }
        Assert.That(sizes[2], Is.LessThan(40).And.LessThan(sizes[0] / 2));
        using var gate = new SemaphoreSlim(1);
        Assert.That(() => JobCodec.Encode(() => { _ = new StringWriter(); gate.Release(); }, session: writing), Throws.TypeOf<PayloadException>());
        using EncodedPayload next = JobCodec.Encode(() => $"{sizes.Count}", session: writing);
        Assert.That(JobCodec.Decode(new ReceivedPayload(next.Bytes.ToArray()), reading).InvokeAsync(default).Result, Is.EqualTo("5"), "a refused payload leaves no trace in the session");
    }

    private sealed class SessionValue
    {
        internal int Number;

        public override string ToString() => $"v{Number}";
    }
}
