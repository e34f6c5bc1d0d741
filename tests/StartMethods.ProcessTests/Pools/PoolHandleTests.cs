using System.Diagnostics;
using System.IO.Pipes;
using System.Net;
using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;

namespace StartMethods.ProcessTests;

/// <summary>Sockets, files and pipes travel to workers that run already, and back; and whatever becomes of a task, nobody keeps a duplicate.</summary>
public class PoolHandleTests : IsolatedProcessTest
{
    /// <summary>How many descriptors of this process stand for a file. (All together says nothing: the runtime opens some of its own, for instance to read line numbers for a stack trace.)</summary>
    private static int DescriptorsOf(string path) => Directory.GetFileSystemEntries("/proc/self/fd").Count(entry => new FileInfo(entry).LinkTarget == path);

    [TestCaseSource(typeof(PoolMethods), nameof(PoolMethods.All))]
    public async Task Handles_of_every_kind_reach_a_worker_that_runs_and_the_caller_may_close_his_at_once(string method)
    {
        string[] told = await PoolMethods.RunAsync(method, static async method =>
        {
            await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Method = method });
            int worker = await pool.RunAsync(static () => Environment.ProcessId);
            string path = Path.Combine(Path.GetTempPath(), $"sm-handle-{Environment.ProcessId}");
            try
            {
                await File.WriteAllTextAsync(path, "a file");
                Task<string> file, stream;
                using (SafeFileHandle handle = File.OpenHandle(path))
                    file = pool.RunAsync(static handle => new StreamReader(new FileStream(handle, FileAccess.Read)).ReadToEnd(), handle);
                using (var opened = new FileStream(path, FileMode.Open, FileAccess.Read))
                {
                    opened.Position = 2;
                    stream = pool.RunAsync(() => new StreamReader(opened).ReadToEnd()); // captured, and at its place
                }
                using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
                Task written;
                using (var client = new AnonymousPipeClientStream(PipeDirection.Out, pipe.ClientSafePipeHandle))
                    written = pool.RunAsync(static pipe => pipe.WriteByte(42), client);
                await written;
                (Socket one, Socket two) = await ConnectedAsync();
                using (two)
                {
                    Task sent;
                    using (one)
                        sent = pool.RunAsync(static async socket => { await socket.SendAsync("a socket"u8.ToArray()); }, one);
                    await sent;
                    byte[] received = new byte[100];
                    int count = 0;
                    for (int got = -1; got != 0; count += got) // to the end, which comes when nobody has the other side any more
                        got = await two.ReceiveAsync(received.AsMemory(count));
                    return new[] { await file, await stream, pipe.ReadByte().ToString(null, null), pipe.ReadByte().ToString(null, null), System.Text.Encoding.UTF8.GetString(received, 0, count),
                        (worker == await pool.RunAsync(static () => Environment.ProcessId)).ToString() };
                }
            }
            finally
            {
                File.Delete(path);
            }
        }, Limit);
        Assert.That(told, Is.EqualTo(new[] { "a file", "file", "42", "-1", "a socket", "True" }));
    }

    private static async Task<(Socket, Socket)> ConnectedAsync()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        Socket one = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await one.ConnectAsync(listener.LocalEndPoint!, Limit);
        return (one, await listener.AcceptAsync(Limit));
    }

    [TestCaseSource(typeof(PoolMethods), nameof(PoolMethods.All))]
    public async Task Handles_come_back_and_the_worker_keeps_none(string method)
    {
        string[] told = await PoolMethods.RunAsync(method, static async method =>
        {
            await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Method = method });
            int before = await pool.RunAsync(DescriptorsOf, "/dev/null"), own = DescriptorsOf("/dev/null");
            using SafeFileHandle handle = await pool.RunAsync(static () => File.OpenHandle("/proc/self/stat"));
            string stat = new StreamReader(new FileStream(handle, FileAccess.Read)).ReadToEnd();
            // It came from the worker, which was that process when it opened it.
            string whose = (stat.Split(' ')[0] == (await pool.RunAsync(static () => Environment.ProcessId)).ToString(null, null)).ToString();
            SafeFileHandle[] many = await pool.RunAsync(static () => Enumerable.Range(0, 200).Select(static _ => File.OpenHandle("/dev/null")).ToArray());
            Array.ForEach(many, static handle => handle.Dispose());
            await Task.WhenAll(Enumerable.Range(0, 300).Select(async _ => (await pool.RunAsync(static () => File.OpenHandle("/dev/null"))).Dispose()));
            return new[] { whose, many.Length.ToString(null, null), $"{await pool.RunAsync(DescriptorsOf, "/dev/null") - before} more there, {DescriptorsOf("/dev/null") - own} more here" };
        }, Limit);
        Assert.That(told, Is.EqualTo(new[] { "True", "200", "0 more there, 0 more here" }));
    }

    [Test]
    public async Task What_a_task_got_is_closed_with_it_and_what_a_lease_got_stays()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        string path = Path.Combine(Path.GetTempPath(), $"sm-kept-{Environment.ProcessId}");
        try
        {
            using (var file = new FileStream(path, FileMode.Create))
            {
                await Assert.ThrowsAsync<InvalidOperationException>(() => pool.RunAsync(static file => { file.Write("not flushed, not closed"u8); throw new InvalidOperationException("in the midst"); }, file, Limit));
                Assert.That(await pool.RunAsync(DescriptorsOf, path, Limit), Is.Zero);
                await using WorkerLease lease = await pool.RentAsync(Limit);
                await lease.RunAsync(static file => { s_kept = file; }, file.SafeFileHandle, Limit);
                Assert.That(await lease.RunAsync(static () => RandomAccess.GetLength(s_kept!), Limit), Is.EqualTo("not flushed, not closed".Length));
                Assert.That(await lease.RunAsync(DescriptorsOf, path, Limit), Is.EqualTo(1));
                await lease.RunAsync(static () => s_kept!.Dispose(), Limit);
            }
            Assert.That(await File.ReadAllTextAsync(path, Limit), Is.EqualTo("not flushed, not closed"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static SafeFileHandle? s_kept;

    [Test]
    public async Task A_map_over_handles_makes_chunks_that_one_message_can_carry()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 2 });
        using SafeFileHandle handle = File.OpenHandle("/dev/null");
        int count = 0;
        await foreach (SafeFileHandle back in pool.MapAsync(Enumerable.Repeat(handle, 3000), static handle => handle, cancellationToken: Limit))
        {
            back.Dispose();
            count++;
        }
        Assert.That(count, Is.EqualTo(3000));
        PayloadException error = (await Assert.ThrowsAsync<PayloadException>(() => pool.RunAsync(static all => all.Length, Enumerable.Repeat(handle, 300).Select(static h => new SafeFileHandle(h.DangerousGetHandle(), false)).ToArray(), Limit)))!;
        Assert.That(error.Message, Does.Contain("A task has 300 handles").And.Contain("253"));
    }

    [Test]
    public async Task What_is_taken_back_from_a_worker_is_closed_there_at_once()
    {
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1 });
        for (int round = 0; round < 5; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 500).Select(static _ => 0).Select(x => pool.RunAsync(static x => x, x, Limit))); // quick ones, so that the worker holds some ahead
            using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
            using var withdraw = new CancellationTokenSource();
            using var release = new CancellationTokenSource();
            Task blocker = pool.RunAsync(static token => { token.WaitHandle.WaitOne(); }, release.Token);
            Task[] behind = [.. Enumerable.Range(0, 5).Select(_ => pool.RunAsync(static pipe => pipe.IsInvalid, pipe.ClientSafePipeHandle, withdraw.Token))];
            await withdraw.CancelAsync();
            foreach (Task task in behind)
                await Assert.CatchAsync<OperationCanceledException>(() => task);
            pipe.DisposeLocalCopyOfClientHandle();
            Task<int> end = pipe.ReadAsync(new byte[1], Limit).AsTask();
            Assert.That(await Task.WhenAny(end, Task.Delay(5000, Limit)), Is.SameAs(end), "the worker, which still runs what came before, has the other end of the pipe");
            Assert.That(blocker.IsCompleted, Is.False);
            await release.CancelAsync();
            await Task.WhenAny(blocker);
        }
    }

    // The end of a pipe comes when nobody in any process has its other end: the pool lives on while it is looked at.
    [TestCase("spawn"), TestCase("forkserver")]
    public async Task Cancelled_withdrawn_stolen_retried_and_lost_tasks_leave_no_duplicate_in_any_process(string method)
    {
        await using ForkServer? server = method == "forkserver" ? new ForkServer() : null;
        await using var pool = new WorkerPool(new WorkerPoolOptions { Workers = 3, MinWorkers = 3, RetryOnCrash = 1, Grace = TimeSpan.FromMilliseconds(20), Method = server ?? StartMethod.Spawn });
        int ended = 0;
        using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
        SafePipeHandle writing = pipe.ClientSafePipeHandle;
        var random = new Random(5);
        for (int round = 0; round < 8; round++)
        {
            using var soon = new CancellationTokenSource();
            Task[] tasks = [.. Enumerable.Range(0, 60).Select(i => Outcome(random.Next(24) switch
            {
                0 => pool.RunAsync(static _ => { using Process self = Process.GetCurrentProcess(); self.Kill(); }, writing, new WorkerTaskOptions { Retry = 1 }, Limit),
                1 => pool.RunAsync(static _ => { using Process self = Process.GetCurrentProcess(); self.Kill(); }, writing, new WorkerTaskOptions { Retry = 0 }, Limit),
                2 => pool.RunAsync(static (_, token) => token.WaitHandle.WaitOne(), writing, soon.Token),
                3 => pool.RunAsync(static _ => Thread.Sleep(30), writing, new WorkerTaskOptions { Timeout = TimeSpan.FromMilliseconds(10) }, Limit),
                4 => pool.RunAsync(static _ => throw new InvalidOperationException("as asked"), writing, Limit),
                < 12 => pool.RunAsync(static _ => Thread.Sleep(2), writing, soon.Token),
                _ => pool.RunAsync(static pipe => pipe.IsInvalid, writing, soon.Token),
            }))];
            soon.CancelAfter(random.Next(1, 60));
            await Task.WhenAll(tasks);
            ended += tasks.Length;
        }
        pipe.DisposeLocalCopyOfClientHandle();
        Task<int> end = pipe.ReadAsync(new byte[1], Limit).AsTask();
        Assert.That(await Task.WhenAny(end, Task.Delay(5000, Limit)), Is.SameAs(end), "somebody still has the other end of the pipe");
        Assert.That((await end, ended), Is.EqualTo((0, 480)));
        Assert.That(await pool.RunAsync(static x => x + 1, 1, Limit), Is.EqualTo(2));
        TestContext.Out.WriteLine(pool.Statistics);
        Assert.That(pool.Statistics, Has.Property(nameof(PoolStatistics.WorkersCrashed)).GreaterThan(10).And.Property(nameof(PoolStatistics.Cancelled)).GreaterThan(50));

        static async Task Outcome(Task task)
        {
            try
            {
                await task;
            }
            catch (Exception e) when (e is ChildCrashedException or ChildTimeoutException or OperationCanceledException or InvalidOperationException)
            {
                // each of these is asked for
            }
        }
    }
}
