using System.Diagnostics;

namespace StartMethods.ProcessTests;

[Category("Portable")]
public class PoolLeaseTests : IsolatedProcessTest
{
    private static int s_state;

    internal sealed class Counter : IDisposable
    {
        private int _value;
        internal Thread Owner { get; } = Thread.CurrentThread; // something that could never travel

        internal int Add(int amount) => _value += amount;

        public void Dispose() => s_state = -1;
    }

    [Test]
    public async Task A_rented_worker_keeps_its_state_between_calls_and_is_given_back()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        int process;
        await using (WorkerLease lease = await pool.RentAsync(Limit))
        {
            process = lease.ProcessId;
            for (int i = 1; i <= 3; i++)
                Assert.That(await lease.RunAsync(() => ++s_state, Limit), Is.EqualTo(i));
            Task<int> other = pool.RunAsync(() => Environment.ProcessId, Limit);
            await Task.Delay(100, Limit);
            Assert.That(other.IsCompleted, Is.False, "the worker belongs to the lease");
        }
        Assert.That(await pool.RunAsync(() => Environment.ProcessId, Limit), Is.EqualTo(process));
        Assert.That(s_state, Is.Zero);
    }

    [Test]
    public async Task A_lease_can_take_its_worker_with_it()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        WorkerLease lease = await pool.RentAsync(Limit);
        int process = lease.ProcessId;
        lease.DestroyOnDispose = true;
        await lease.DisposeAsync();
        Assert.That(await pool.RunAsync(() => Environment.ProcessId, Limit), Is.Not.EqualTo(process));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => lease.RunAsync(() => 1));
    }

    [Test]
    public async Task A_lease_whose_worker_died_says_so_and_the_pool_goes_on()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        await using WorkerLease lease = await pool.RentAsync(Limit);
        await Assert.ThrowsAsync<ChildCrashedException>(() => lease.RunAsync(() => Environment.Exit(3), Limit));
        await Eventually(() => !lease.IsAlive, "the lease is over");
        StartMethodException error = (await Assert.ThrowsAsync<StartMethodException>(() => lease.RunAsync(() => 1, Limit)))!;
        Assert.That(error.Message, Does.Contain("exit 3"));
        Assert.That(await pool.RunAsync(() => 1, Limit), Is.EqualTo(1));
    }

    [Test]
    public async Task An_object_lives_in_a_worker_and_is_called_by_lambdas()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        await using WorkerObject<Counter> counter = await pool.CreateObjectAsync(() => new Counter(), Limit);
        int amount = 5;
        Assert.That(await counter.InvokeAsync(c => c.Add(amount), Limit), Is.EqualTo(5));
        await counter.InvokeAsync(c => { c.Add(1); }, Limit);
        Assert.That(await counter.InvokeAsync(async c => { await Task.Yield(); return c.Add(2); }, Limit), Is.EqualTo(8));
        Assert.That(await counter.InvokeAsync(_ => Environment.ProcessId, Limit), Is.EqualTo(counter.ProcessId).And.Not.EqualTo(Environment.ProcessId));
    }

    [Test]
    public async Task Many_wait_for_few_workers_and_each_gets_one()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        await Parallel.ForAsync(0, 12, Limit, async (i, token) =>
        {
            await using WorkerLease lease = await pool.RentAsync(token);
            if (await lease.RunAsync(static x => x, i, token) != i)
                throw new InvalidOperationException();
        });
        await pool.DrainAsync(Limit);
    }

    [Test]
    public async Task A_lease_that_is_waited_for_can_be_cancelled()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        await using WorkerLease first = await pool.RentAsync(Limit);
        using var source = new CancellationTokenSource(200);
        await Assert.CatchAsync<OperationCanceledException>(() => pool.RentAsync(source.Token));
    }
}
