using System.Linq.Expressions;
using StartMethods.Payloads;

namespace StartMethods.Tests;

[Parallelizable(ParallelScope.All)]
public class ClosureTrimmingTests
{
    private static string? Refusal(Delegate body)
    {
        try
        {
            JobCodec.Encode(body).Dispose();
            return null;
        }
        catch (PayloadException e)
        {
            return e.Message;
        }
    }

    [Test]
    public void What_a_sibling_lambda_captures_is_not_carried()
    {
        using var gate = new SemaphoreSlim(1);
        int x = 20;
        Action sibling = () => gate.Release();
        Assert.That(Carry.Run(() => x + 1), Is.EqualTo(21));
        Assert.That(Refusal(sibling), Does.Contain("captured 'gate'"));
    }

    [Test]
    public void Siblings_in_outer_scopes_are_not_carried_either()
    {
        using var gate = new SemaphoreSlim(1);
        int outer = 1;
        for (int i = 0; i < 1; i++)
        {
            int inner = 2;
            using var other = new SemaphoreSlim(1);
            Action sibling = () => { gate.Release(); other.Release(inner + outer); };
            Assert.That(Carry.Run(() => outer + inner), Is.EqualTo(3));
            Assert.That(Refusal(sibling), Does.Contain("captured"));
        }
    }

    [Test]
    public void An_async_lambda_carries_what_its_state_machine_reads()
    {
        using var gate = new SemaphoreSlim(1);
        int x = 20;
        Action sibling = () => gate.Release();
        Func<Task<int>> body = async () => { await Task.Yield(); int y = x; await Task.Yield(); return y + x; };
        Assert.That(Carry.Run((Delegate)body), Is.EqualTo(40));
        Func<Task> uses = async () => { await Task.Yield(); await gate.WaitAsync(); };
        Assert.That(Refusal(uses), Does.Contain("captured 'gate'"));
        Assert.That(sibling, Is.Not.Null);
    }

    [Test]
    public void Iterators_local_functions_and_inner_lambdas_are_followed()
    {
        using var gate = new SemaphoreSlim(1);
        int x = 2, y = 3, z = 4, w = 5;
        Action sibling = () => gate.Release();
        IEnumerable<int> Numbers() { yield return x; yield return y; }
        int Local() => z;
        async Task<int> LocalAsync() { await Task.Yield(); return w; }
        Assert.That(Carry.Run(() => Numbers().Sum() + Enumerable.Range(0, 2).Sum(_ => Local()) + LocalAsync().Result), Is.EqualTo(2 + 3 + 8 + 5));
        Assert.That(sibling, Is.Not.Null);
    }

    [Test]
    public void Async_iterators_and_expression_trees_are_followed()
    {
        using var gate = new SemaphoreSlim(1);
        int x = 2, y = 3;
        Action sibling = () => gate.Release();
        async IAsyncEnumerable<int> Numbers() { yield return x; await Task.Yield(); yield return x; }
        Func<Task<int>> body = async () =>
        {
            int sum = 0;
            await foreach (int n in Numbers())
                sum += n;
            return sum;
        };
        Assert.That(Carry.Run((Delegate)body), Is.EqualTo(4));
        Assert.That(Carry.Run(() => { Expression<Func<int>> e = () => y * 2; return e.Compile()(); }), Is.EqualTo(6));
        Assert.That(sibling, Is.Not.Null);
    }

    [Test]
    public void Generic_closures_are_trimmed_too() => Generic("a", new List<int> { 1 });

    private static void Generic<T1, T2>(T1 a, T2 b)
    {
        using var gate = new SemaphoreSlim(1);
        Action sibling = () => gate.Release(b!.GetHashCode());
        Assert.That(Carry.Run(() => $"{a}"), Is.EqualTo($"{a}"));
        Assert.That(Refusal(sibling), Does.Contain("captured 'gate'"));
    }

    [Test]
    public void A_variable_that_is_only_assigned_is_not_carried()
    {
        SemaphoreSlim? gate = new(1);
        int x = 1;
        Action sibling = () => gate?.Release();
        Assert.That(Refusal(() => { gate = null; x = 2; }), Is.Null);
        Assert.That(Refusal(sibling), Does.Contain("captured 'gate'"));
        Assert.That(x, Is.EqualTo(1));
    }

    [Test]
    public void A_delegate_that_shares_the_closure_adds_the_variables_that_it_uses()
    {
        int a = 1, b = 2, c = 3;
        using var gate = new SemaphoreSlim(1);
        Func<int> second = () => b * 10;
        Func<int> third = () => c * 100 + second();
        Action sibling = () => gate.Release();
        Assert.That(Carry.Run(() => a + third()), Is.EqualTo(321));
        Assert.That(sibling, Is.Not.Null);
    }

    [Test]
    public void Delegates_that_share_nested_closures_add_the_variables_of_both_levels()
    {
        int a = 1, b = 2;
        using var gate = new SemaphoreSlim(1);
        for (int i = 0; i < 1; i++)
        {
            int c = 3, d = 4;
            Func<int> second = () => b * 10 + d * 100;
            Action sibling = () => gate.Release();
            Assert.That(Carry.Run(() => a + c + second()), Is.EqualTo(424));
            Assert.That(sibling, Is.Not.Null);
        }
    }

    [Test]
    public void A_lambda_that_uses_this_carries_the_object() =>
        Assert.That(new Owner { Name = "n", Size = 3 }.Describe(), Is.EqualTo("n3!"));

    private sealed class Owner
    {
        internal string Name = "";
        internal int Size;

        internal string Describe()
        {
            string suffix = "!";
            return Carry.Run(() => Name + Size + suffix);
        }
    }

    [Test]
    public void More_than_64_variables_travel()
    {
        int a0 = 0, a1 = 1, a2 = 2, a3 = 3, a4 = 4, a5 = 5, a6 = 6, a7 = 7, a8 = 8, a9 = 9, b0 = 10, b1 = 11, b2 = 12, b3 = 13, b4 = 14, b5 = 15, b6 = 16, b7 = 17, b8 = 18, b9 = 19,
            c0 = 20, c1 = 21, c2 = 22, c3 = 23, c4 = 24, c5 = 25, c6 = 26, c7 = 27, c8 = 28, c9 = 29, d0 = 30, d1 = 31, d2 = 32, d3 = 33, d4 = 34, d5 = 35, d6 = 36, d7 = 37, d8 = 38, d9 = 39,
            e0 = 40, e1 = 41, e2 = 42, e3 = 43, e4 = 44, e5 = 45, e6 = 46, e7 = 47, e8 = 48, e9 = 49, f0 = 50, f1 = 51, f2 = 52, f3 = 53, f4 = 54, f5 = 55, f6 = 56, f7 = 57, f8 = 58, f9 = 59,
            g0 = 60, g1 = 61, g2 = 62, g3 = 63, g4 = 64, g5 = 65, g6 = 66, g7 = 67;
        Func<int> body = () => a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + b0 + b1 + b2 + b3 + b4 + b5 + b6 + b7 + b8 + b9 + c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9
            + d0 + d1 + d2 + d3 + d4 + d5 + d6 + d7 + d8 + d9 + e0 + e1 + e2 + e3 + e4 + e5 + e6 + e7 + e8 + e9 + f0 + f1 + f2 + f3 + f4 + f5 + f6 + f7 + f8 + f9 + g0 + g1 + g2 + g3 + g4 + g5 + g6 + g7;
        Assert.That(Carry.Run(body), Is.EqualTo(67 * 68 / 2));
        Assert.That(Carry.Run(() => g7 + a3), Is.EqualTo(70));
    }
}
