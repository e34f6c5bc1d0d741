namespace StartMethods.ProcessTests;

[Category("Portable")]
public class RunTests(string method) : ChildTest(method)
{
    private static int s_seven = 7;

    [Test]
    public async Task A_lambda_runs_in_another_process_and_its_value_comes_back()
    {
        int x = 20;
        Assert.That(await ChildProcess.RunAsync(() => x + 1, Limit), Is.EqualTo(21));
        Assert.That(await ChildProcess.RunAsync(() => Environment.ProcessId, Limit), Is.Not.EqualTo(Environment.ProcessId));
    }

    [Test]
    public async Task Every_shape_of_a_body_runs()
    {
        using CancellationTokenSource source = new();
        CancellationToken token = source.Token;
        ChildOptions options = new() { Name = "shape" };
        string seen = Path.Combine(Path.GetTempPath(), $"sm-shapes-{Environment.ProcessId}");
        try
        {
            await ChildProcess.RunAsync(() => File.AppendAllText(seen, "a"), token);
            await ChildProcess.RunAsync(async () => await File.AppendAllTextAsync(seen, "b"), options, token);
            Assert.That(await ChildProcess.RunAsync(() => 1, options), Is.EqualTo(1));
            Assert.That(await ChildProcess.RunAsync(async () => { await Task.Yield(); return 2; }), Is.EqualTo(2));
            await ChildProcess.RunAsync(static path => File.AppendAllText(path, "c"), seen, token);
            await ChildProcess.RunAsync(static async path => await File.AppendAllTextAsync(path, "d"), seen, options, token);
            Assert.That(await ChildProcess.RunAsync(static x => x * 2, 21), Is.EqualTo(42));
            Assert.That(await ChildProcess.RunAsync(static async x => { await Task.Yield(); return x * 2; }, 22), Is.EqualTo(44));
            await ChildProcess.RunAsync((CancellationToken t) => File.AppendAllText(seen, t.CanBeCanceled ? "e" : "-"), token);
            await ChildProcess.RunAsync(async t => { await File.AppendAllTextAsync(seen, "f", t); }, options, token);
            Assert.That(await ChildProcess.RunAsync(t => t.CanBeCanceled, token), Is.True);
            Assert.That(await ChildProcess.RunAsync(async t => { await Task.Delay(1, t); return "g"; }, options), Is.EqualTo("g"));
            Assert.That(await ChildProcess.RunAsync(static (x, t) => t.CanBeCanceled ? x : 0, 23, options, token), Is.EqualTo(23));
            Assert.That(await ChildProcess.RunAsync(static async (x, t) => { await Task.Delay(1, t); return x; }, 24, token), Is.EqualTo(24));
            Assert.That(File.ReadAllText(seen), Is.EqualTo("abcdef"));
        }
        finally
        {
            File.Delete(seen);
        }
    }

    [Test]
    public void The_compiler_chooses_the_overload_that_is_meant()
    {
        // What matters here is that each line compiles, and to what; nothing is run.
        Assert.Multiple(() =>
        {
            Type(() => ChildProcess.Start(() => 42), typeof(ChildProcess<int>));
            Type(() => ChildProcess.Start(async () => { await Task.Yield(); return 42; }), typeof(ChildProcess<int>));
            Type(() => ChildProcess.Start(() => { }), typeof(ChildProcess));
            Type(() => ChildProcess.Start(async () => await Task.Yield()), typeof(ChildProcess));
            Type(() => ChildProcess.Start(() => throw new InvalidOperationException()), typeof(ChildProcess));
            Type(() => ChildProcess.Start(Seven), typeof(ChildProcess<int>));
            Type(() => ChildProcess.Start(Add, 1), typeof(ChildProcess<int>));
            Type(() => ChildProcess.Start(Nothing), typeof(ChildProcess));
            Type(() => ChildProcess.Start(Later), typeof(ChildProcess));
            Type(() => ChildProcess.Start(x => x + "", "text"), typeof(ChildProcess<string>));
            Type(() => ChildProcess.Start((CancellationToken t) => t.CanBeCanceled), typeof(ChildProcess<bool>));
            Type(() => ChildProcess.Start(t => Task.Delay(1, t)), typeof(ChildProcess));
            Type(() => ChildProcess.Start(_ => 42, new ChildOptions()), typeof(ChildProcess<int>));
            Type(() => ChildProcess.Start((int x, CancellationToken t) => x, 3), typeof(ChildProcess<int>));
            Type(() => ChildProcess.RunAsync(_ => 42, CancellationToken.None), typeof(Task<int>));
            Type(() => ChildProcess.RunAsync(_ => 42, new ChildOptions(), CancellationToken.None), typeof(Task<int>));
            Type(() => ChildProcess.RunAsync(() => 42, cancellationToken: CancellationToken.None), typeof(Task<int>));
            Type(() => ChildProcess.RunAsync(() => 42, null), typeof(Task<int>));
            Type(() => ChildProcess.RunAsync(() => throw new InvalidOperationException()), typeof(Task));
            Type(() => ChildProcess.RunAsync(x => Console.WriteLine(x), 1), typeof(Task));
            Type(() => ChildProcess.RunAsync(() => (string?)null), typeof(Task<string?>));
        });

        static void Type<T>(Func<T> call, Type expected) => Assert.That(typeof(T), Is.EqualTo(expected), call.Method.Name);
    }

    [Test]
    public async Task What_the_body_throws_is_thrown_here_with_its_own_type_message_and_stack()
    {
        InvalidOperationException error = (await Assert.ThrowsAsync<InvalidOperationException>(() => ChildProcess.RunAsync(() => Fail("no such order"))))!;
        Assert.That(error.Message, Is.EqualTo("no such order"));
        Assert.That(error.ToString(), Does.Contain(nameof(Fail)), "the stack of the child");
    }

    [Test]
    public async Task An_asynchronous_body_that_throws_later_throws_here() =>
        await Assert.ThrowsAsync<FormatException>(() => ChildProcess.RunAsync(async () => { await Task.Yield(); throw new FormatException("late"); }));

    [Test]
    public async Task A_body_that_throws_OperationCanceledException_by_itself_keeps_its_type() =>
        await Assert.CatchAsync<OperationCanceledException>(() => ChildProcess.RunAsync(() => throw new OperationCanceledException()));

    [Test]
    public async Task Statics_start_fresh_in_a_spawned_child()
    {
        s_seven = 8;
        try
        {
            Assert.That(await ChildProcess.RunAsync(() => s_seven, new ChildOptions { Method = StartMethod.Spawn }), Is.EqualTo(7));
        }
        finally
        {
            s_seven = 7;
        }
    }

    [Test]
    public async Task What_cannot_travel_is_refused_before_any_process_is_started()
    {
        using System.Net.Http.HttpClient client = new();
        IReadOnlyDictionary<int, string> before = Surroundings.Children();
        PayloadException error = (await Assert.ThrowsAsync<PayloadException>(() => ChildProcess.RunAsync(() => client.GetHashCode())))!;
        Assert.That(error.Message, Does.Contain("client"));
        Assert.That(Surroundings.Children().Keys, Is.EquivalentTo(before.Keys));
    }

    [Test]
    public async Task A_result_that_cannot_travel_is_an_error_that_names_it()
    {
        PayloadException error = (await Assert.ThrowsAsync<PayloadException>(() => ChildProcess.RunAsync(() => new System.Net.Http.HttpClient())))!;
        Assert.That(error.Message, Does.Contain("HttpClient"));
    }

    [Test]
    public async Task A_result_beyond_the_limit_is_an_error_that_names_the_setting()
    {
        PayloadException error = (await Assert.ThrowsAsync<PayloadException>(() => ChildProcess.RunAsync(() => new byte[3_000_000], new ChildOptions { MaxResultBytes = 1_000_000 })))!;
        Assert.That(error.Message, Does.Contain(nameof(ChildOptions.MaxResultBytes)));
    }

    [Test]
    public async Task Sixty_four_mebibytes_travel_both_ways_at_once()
    {
        byte[] large = new byte[64 << 20];
        new Random(1).NextBytes(large);
        byte[] back = await ChildProcess.RunAsync(static bytes => { bytes[0] ^= 0xFF; return bytes; }, large, Limit);
        back[0] ^= 0xFF;
        Assert.That(back.AsSpan().SequenceEqual(large));
    }

    [Test]
    public async Task Children_start_children_in_order_and_know_who_they_are()
    {
        string story = await ChildProcess.RunAsync(static async () =>
        {
            CurrentChild outer = ChildProcess.Current!;
            string inner = await ChildProcess.RunAsync(static () => $"{ChildProcess.Current!.Name} of {ChildProcess.Current.ParentId}", new ChildOptions { Name = "inner" });
            return $"{outer.Name}, {outer.Method.Name}, {outer.ParentId}; {inner} = {Environment.ProcessId}";
        }, new ChildOptions { Name = "outer", Method = StartMethod.Spawn }, Limit);
        string[] parts = story.Split(' ');
        Assert.That(story, Does.StartWith($"outer, spawn, {Environment.ProcessId}; inner of "));
        Assert.That(parts[^1], Is.EqualTo(parts[^3]), "the parent of the inner is the outer");
        Assert.That(ChildProcess.Current, Is.Null);
    }

    [Test]
    public async Task A_chain_of_children_without_end_is_stopped_by_the_depth_limit()
    {
        Exception error = (await Assert.CatchAsync<StartMethodException>(() => ChildProcess.RunAsync(static () => Recurse(), new ChildOptions { MaxDepth = 3 })))!;
        Assert.That(error.ToString(), Does.Contain(nameof(ChildOptions.MaxDepth)));
    }

    [Test]
    public async Task Thirty_two_children_at_once_all_answer_and_all_end()
    {
        int[] results = await Task.WhenAll(Enumerable.Range(0, 32).Select(i => ChildProcess.RunAsync(static i => i * i, i, Limit)));
        Assert.That(results, Is.EqualTo(Enumerable.Range(0, 32).Select(i => i * i)));
        Assert.That(ChildProcess.Active, Is.Empty);
    }

    private static Task Recurse() => ChildProcess.RunAsync(static () => Recurse(), new ChildOptions { MaxDepth = 3 });

    private static int Fail(string message) => throw new InvalidOperationException(message);

    private static int Seven() => 7;

    private static int Add(int x) => x + 1;

    private static void Nothing()
    {
    }

    private static Task Later() => Task.CompletedTask;
}
