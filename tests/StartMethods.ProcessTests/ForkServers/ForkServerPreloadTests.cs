using System.Diagnostics;
using System.Runtime;

namespace StartMethods.ProcessTests.ForkServers;

public class ForkServerPreloadTests : IsolatedProcessTest
{
    private static int s_loaded, s_before, s_inParent, s_inChild;
    private static StringWriter? s_written;

    [Test]
    public async Task What_the_preload_leaves_is_there_in_each_child()
    {
        int value = 17;
        await using ForkServer server = new(new ForkServerOptions { Preload = () => s_loaded = value });
        Assert.That(await ChildProcess.RunAsync(static () => s_loaded, On(server), Limit), Is.EqualTo(17));
        Assert.That(s_loaded, Is.Zero, "it ran in the server, not here");
    }

    [Test]
    public async Task An_asynchronous_preload_runs_to_its_end()
    {
        await using ForkServer server = new(new ForkServerOptions
        {
            PreloadAsync = static async () =>
            {
                await Task.Delay(20);
                s_loaded = 3;
            },
        });
        Assert.That(await ChildProcess.RunAsync(static () => s_loaded, On(server), Limit), Is.EqualTo(3));
    }

    [Test]
    public async Task What_the_preload_wanted_done_at_its_process_end_is_not_done_at_that_of_each_child()
    {
        await using ForkServer server = new(new ForkServerOptions { Preload = static () => AppDomain.CurrentDomain.ProcessExit += (_, _) => { Console.Write("preload "); Console.Out.Flush(); } });
        await using ChildProcess child = ChildProcess.Start(
            static () => AppDomain.CurrentDomain.ProcessExit += (_, _) => { Console.Write("child"); Console.Out.Flush(); },
            new ChildOptions { Method = server, StandardOutput = SpawnStdio.Pipe });
        Assert.That(await new StreamReader(child.StandardOutput!).ReadToEndAsync(Limit), Is.EqualTo("child"));
    }

    [Test]
    public async Task A_function_is_compiled_again_only_where_tiered_compilation_is_on([Values] bool tiered)
    {
        await using ForkServer server = new(new ForkServerOptions { TieredCompilation = tiered });
        bool again = await ChildProcess.RunAsync(static () =>
        {
            long others() => JitInfo.GetCompiledMethodCount() - JitInfo.GetCompiledMethodCount(currentThread: true); // the background compiler's
            long before = others();
            for (int sum = 0, i = 0; i < 100; i++)
                sum += Twice(i);
            long limit = Environment.TickCount64 + 2000;
            while (others() == before && Environment.TickCount64 < limit)
                Thread.SpinWait(1000); // the compiler comes to a child that works
            return others() > before;
        }, On(server), Limit);
        Assert.That(again, Is.EqualTo(tiered));
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static int Twice(int i) => 2 * i;

    [Test]
    public async Task A_variable_that_the_preload_sets_is_not_in_the_environment_of_the_children()
    {
        await using ForkServer server = new(new ForkServerOptions { Preload = static () => Environment.SetEnvironmentVariable("SET_BY_PRELOAD", "1") });
        Assert.That(await ChildProcess.RunAsync(static () => Environment.GetEnvironmentVariable("SET_BY_PRELOAD"), On(server), Limit), Is.Null);
    }

    // Each is eight mappings, and some pages, that every fork copies.
    [Test]
    public async Task A_server_loads_no_assembly_that_only_comfort_asks_for()
    {
        await using ForkServer server = new();
        await ChildProcess.RunAsync(static () => 1, On(server), Limit); // which the server learns
        Assert.That(await ChildProcess.RunAsync(static () => Array.Exists(AppDomain.CurrentDomain.GetAssemblies(), static assembly => assembly.GetName().Name == "System.Linq"), On(server), Limit), Is.False);
    }

    [Test]
    public async Task A_child_finds_no_console_loaded_that_nobody_has_used()
    {
        await using ForkServer server = new();
        for (int i = 0; i < 3; i++) // the server, too, may come to it late: in its first fork, in what it does after it
            Assert.That(await ChildProcess.RunAsync(static () => AppDomain.CurrentDomain.GetAssemblies().Any(assembly => assembly.GetName().Name == "System.Console"), On(server), Limit), Is.False);
    }

    [Test]
    public async Task A_writer_that_the_preload_has_set_for_the_console_stays_and_the_console_s_own_is_the_child_s()
    {
        await using ForkServer server = new(new ForkServerOptions
        {
            Preload = static () =>
            {
                Console.Error.Write(""); // the console's own writer, on the server's descriptor
                Console.SetOut(s_written = new StringWriter());
            },
        });
        await using ChildProcess<string> child = ChildProcess.Start(static () =>
        {
            Console.Error.Write("of the child");
            Console.Error.Flush();
            Console.Write("kept");
            return s_written!.ToString();
        }, new ChildOptions { Method = server, StandardError = SpawnStdio.Pipe });
        Assert.That(await child.Result, Is.EqualTo("kept"));
        Assert.That(await new StreamReader(child.StandardError!).ReadToEndAsync(Limit), Is.EqualTo("of the child"));
    }

    [Test]
    public async Task A_preload_that_fails_fails_each_start_with_its_error_and_its_remote_stack()
    {
        await using ForkServer server = new(new ForkServerOptions { Preload = static () => FailInPreload() });
        for (int i = 0; i < 3; i++)
        {
            InvalidDataException e = (await Assert.ThrowsAsync<InvalidDataException>(() => ChildProcess.RunAsync(static () => 1, On(server), Limit)))!;
            Assert.That(e.Message, Does.Contain("no model"));
            Assert.That(e.ToString(), Does.Contain(nameof(FailInPreload)));
        }
    }

    [Test]
    public async Task A_failed_preload_can_be_replaced()
    {
        await using ForkServer server = new(new ForkServerOptions { Preload = static () => FailInPreload() });
        await Assert.ThrowsAsync<InvalidDataException>(() => server.StartAsync(Limit));
        await server.RefreshAsync(static () => s_loaded = 9, Limit);
        Assert.That(await ChildProcess.RunAsync(static () => s_loaded, On(server), Limit), Is.EqualTo(9));
    }

    [Test]
    public async Task Two_servers_with_different_preloads_live_side_by_side()
    {
        await using ForkServer one = new(new ForkServerOptions { Preload = static () => s_loaded = 1 }), two = new(new ForkServerOptions { Preload = static () => s_loaded = 2 });
        int[] seen = await Task.WhenAll(ChildProcess.RunAsync(static () => s_loaded, On(one), Limit), ChildProcess.RunAsync(static () => s_loaded, On(two), Limit));
        Assert.That(seen, Is.EqualTo(new[] { 1, 2 }));
    }

    [Test]
    public async Task A_waiting_thread_that_the_preload_left_is_named_in_a_warning_and_starts_go_on()
    {
        await using ForkServer server = new(new ForkServerOptions { Preload = static () => StartThread("Idle helper", static () => Thread.Sleep(Timeout.Infinite)) });
        TaskCompletionSource<string> warned = new();
        server.Warning += (_, e) => warned.TrySetResult(e.Message);
        Assert.That(await ChildProcess.RunAsync(static () => 4, On(server), Limit), Is.EqualTo(4));
        Assert.That(await warned.Task.WaitAsync(Limit), Does.Contain("Idle helper"));
    }

    // Of each thing that may go on in a server without a thread of the application's own: its threads are held while it waits, but not so.
    [TestCase(nameof(LeaveSleepingTask)), TestCase(nameof(LeaveTimer)), TestCase(nameof(LeaveAsynchronousLoop)), TestCase(nameof(LeaveRegisteredWait)), TestCase(nameof(LeaveFileWatcher)), TestCase(nameof(LeaveProgram))]
    public async Task What_the_preload_left_to_be_done_is_done_in_an_idle_server(string left)
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            await using ForkServer server = new(new ForkServerOptions
            {
                Preload = () => typeof(ForkServerPreloadTests).GetMethod(left, System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)!.Invoke(null, [folder]),
            });
            for (int i = 0; i < 3; i++) // after which the server holds its threads, if it does
                await ChildProcess.RunAsync(static () => s_loaded, On(server), Limit);
            while (!Limit.IsCancellationRequested && await ChildProcess.RunAsync(static () => s_loaded, On(server), Limit) == 0)
            {
                await Task.Delay(500, Limit);
                await File.WriteAllTextAsync(Path.Combine(folder, "news"), "", Limit);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static object? s_kept;

    private static void LeaveSleepingTask(string folder) => s_kept = Task.Run(static () => { Thread.Sleep(300); s_loaded = 1; });

    private static void LeaveTimer(string folder) => s_kept = new Timer(static _ => s_loaded = 1, null, 300, 300);

    private static void LeaveAsynchronousLoop(string folder) => s_kept = Task.Run(static async () => { await Task.Delay(300); s_loaded = 1; });

    private static void LeaveRegisteredWait(string folder) =>
        s_kept = ThreadPool.RegisterWaitForSingleObject(new ManualResetEvent(false), static (_, _) => s_loaded = 1, null, 300, executeOnlyOnce: true);

    private static void LeaveProgram(string folder) => s_kept = SpawnedProcess.RunAsync("sleep", ["0.3"]).ContinueWith(static _ => s_loaded = 1, TaskScheduler.Default);

    private static void LeaveFileWatcher(string folder)
    {
        FileSystemWatcher watcher = new(folder) { EnableRaisingEvents = true };
        watcher.Changed += static (_, _) => s_loaded = 1;
        s_kept = watcher;
    }

    [Test]
    public async Task A_running_thread_that_the_preload_left_makes_starts_fail_by_its_name()
    {
        await using ForkServer server = new(new ForkServerOptions { Preload = static () => StartThread("Busy helper", static () => { while (true) { } }) });
        StartMethodException e = (await Assert.CatchAsync<StartMethodException>(() => ChildProcess.RunAsync(static () => 4, On(server), Limit)))!;
        Assert.That(e.Message, Does.Contain("Busy helper"));
    }

    [Test]
    public async Task Hooks_that_the_preload_has_registered_run_in_the_server_and_in_each_child_and_those_of_the_application_do_not()
    {
        using IDisposable own = AtFork.Register(afterInChild: static () => s_inChild += 100);
        await using ForkServer server = new(new ForkServerOptions { Preload = static () => AtFork.Register(static () => s_before++, static () => s_inParent++, static () => s_inChild++) });
        for (int i = 1; i <= 3; i++)
        {
            (int before, int inParent, int inChild) = await ChildProcess.RunAsync(static () => (s_before, s_inParent, s_inChild), On(server), Limit);
            Assert.That((before, inParent, inChild), Is.EqualTo((i, i - 1, 1)));
        }
        Assert.That((s_before, s_inParent, s_inChild), Is.EqualTo((0, 0, 0)), "they ran elsewhere");
    }

    [Test]
    public async Task A_before_hook_may_wait_for_a_task_and_a_finalizer()
    {
        await using ForkServer server = new(new ForkServerOptions
        {
            Preload = static () => AtFork.Register(before: static () =>
            {
                s_before += Task.Run(static () => 1).Result;
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }),
        });
        for (int i = 1; i <= 3; i++) // the server learns a function after the first
            Assert.That(await ChildProcess.RunAsync(static () => s_before, On(server), Limit), Is.EqualTo(i));
    }

    [Test]
    public async Task A_before_hook_that_throws_refuses_that_start_and_the_server_goes_on()
    {
        await using ForkServer server = new(new ForkServerOptions
        {
            Preload = static () => AtFork.Register(before: static () =>
            {
                if (s_before++ == 0)
                    throw new InvalidDataException("not this one");
            }),
        });
        StartMethodException e = (await Assert.ThrowsAsync<StartMethodException>(() => ChildProcess.RunAsync(static () => 1, On(server), Limit)))!;
        Assert.That(e.Message, Does.Contain("hook").And.Contain("not this one"));
        int id = server.ServerProcessId!.Value;
        Assert.That(await ChildProcess.RunAsync(static () => 2, On(server), Limit), Is.EqualTo(2));
        Assert.That(server.ServerProcessId, Is.EqualTo(id));
    }

    [Test]
    public async Task Refreshing_under_load_loses_no_start()
    {
        await using ForkServer server = new(new ForkServerOptions { Preload = static () => s_loaded = 1 });
        await server.StartAsync(Limit);
        using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(Limit);
        int started = 0;
        Task[] load = [.. Enumerable.Range(0, 2).Select(_ => Task.Run(async () =>
        {
            while (!over.IsCancellationRequested)
            {
                Assert.That(await ChildProcess.RunAsync(static () => s_loaded, On(server), Limit), Is.GreaterThan(0));
                Interlocked.Increment(ref started);
            }
        }))];
        for (int i = 2; i <= 3; i++)
        {
            int value = i;
            await server.RefreshAsync(() => s_loaded = value, Limit);
            Assert.That(await ChildProcess.RunAsync(static () => s_loaded, On(server), Limit), Is.EqualTo(value));
        }
        await over.CancelAsync();
        await Task.WhenAll(load);
        Assert.That(started, Is.GreaterThan(0));
    }

    private static void FailInPreload() => throw new InvalidDataException("no model");

    private static void StartThread(string name, ThreadStart start) => new Thread(start) { Name = name, IsBackground = true }.Start();

    private static ChildOptions On(StartMethod method) => new() { Method = method };
}
