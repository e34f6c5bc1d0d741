using System.Collections.Concurrent;
using System.Net;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using StartMethods.Tests.Layout;

namespace StartMethods.ProcessTests;

/// <summary>samples/PreforkWeb under load: workers die, are replaced and restarted, and nobody else's request is lost.</summary>
public partial class PreforkWebTests : IsolatedProcessTest
{
    private const int Connections = 8, SteadyAnswers = 20;

    private readonly ConcurrentQueue<(int Process, string What)> _failures = new();
    private SpawnedProcess _site = null!;
    private IPEndPoint _address = null!;
    private readonly BlockingCollection<string> _lines = [];

    [SetUp]
    public void StartTheSite()
    {
        if (StartMethod.ForkServer.UnsupportedReason is { } reason)
            Assert.Ignore(reason);
        string configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        SpawnInfo info = new("dotnet", Repository.PathOf("artifacts", "bin", "PreforkWeb", configuration, "PreforkWeb.dll"), "--workers", "2") { StandardOutput = SpawnStdio.Pipe, KillOnParentExit = true };
        _site = SpawnedProcess.Start(info);
        _failures.Clear();
        _ = Task.Run(async () =>
        {
            using StreamReader output = new(_site.StandardOutput!);
            while (await output.ReadLineAsync() is { } line)
                _lines.Add(line);
        });
        _address = IPEndPoint.Parse(Address().Match(Line("http://")).Groups[1].Value);
    }

    [TearDown]
    public async Task EndTheSite()
    {
        if (_site is null)
            return;
        _site.Kill();
        await _site.DisposeAsync();
    }

    [Test]
    public async Task A_worker_that_is_killed_under_load_takes_only_its_own_connections_with_it_and_is_replaced()
    {
        using Load load = await Load.StartAsync(this);
        int victim = load.Processes.First(), others = load.Processes.Last();
        Assert.That(Native(victim, 9), Is.Zero);
        string replaced = Line(" ready");
        await load.EachConnectionIsAnsweredOftenAgainAsync();
        await load.StopAsync();
        Assert.That(_failures.Where(failure => failure.Process != victim), Is.Empty, "requests on connections of the other worker");
        Assert.That(_failures, Is.Not.Empty, "the killed worker had connections");
        Assert.That(load.Processes, Does.Contain(others).And.Not.Contain(victim));
        Assert.That(replaced, Does.Not.Contain($" {victim},").And.Not.Contain($" {others},"));
        await StopTheSite();
    }

    [Test]
    public async Task A_rolling_restart_under_load_loses_no_request()
    {
        using Load load = await Load.StartAsync(this);
        for (int i = 0; i < 3; i++)
        {
            int[] before = load.Processes;
            _site.Signal(PosixSignal.SIGHUP);
            Line("restarted");
            await load.EachConnectionIsAnsweredOftenAgainAsync();
            Assert.That(load.Processes.Intersect(before), Is.Empty, "only new workers answer");
        }
        await load.StopAsync();
        Assert.That(_failures, Is.Empty);
        await StopTheSite();
    }

    private async Task StopTheSite()
    {
        _site.Terminate();
        Assert.That((await _site.WaitForExitAsync(Limit)).ToString(), Is.EqualTo("exit 0"));
        Line("stopped");
    }

    /// <summary>Waits for a line of the site's output that contains a text.</summary>
    private string Line(string text)
    {
        string line;
        do
            line = _lines.Take(Limit);
        while (!line.Contains(text, StringComparison.Ordinal));
        return line;
    }

    private static int Native(int process, int signal) => StartMethods.Interop.Native.LibcKill(process, signal);

    [GeneratedRegex(@"http://([\d.:]+)")]
    private static partial Regex Address();

    /// <summary>Kept connections that ask again as soon as they are answered. One that the server ends, or that breaks, is replaced by a new one.</summary>
    private sealed class Load(PreforkWebTests test) : IDisposable
    {
        private readonly CancellationTokenSource _over = new();
        private readonly List<Task> _tasks = [];
        private readonly ConcurrentDictionary<int, (int Process, int Answers)> _connections = new();

        /// <summary>The processes that have answered last on each connection.</summary>
        internal int[] Processes => [.. _connections.Values.Select(connection => connection.Process).Distinct().Order()];

        /// <summary>Both workers have connections, and each connection was used often.</summary>
        internal static async Task<Load> StartAsync(PreforkWebTests test)
        {
            Load load = new(test);
            List<KeptConnection> opened = [];
            // Whichever worker is quicker accepts: some more are opened until each has some.
            while (opened.Count < Connections || opened.Select(connection => connection.Process).Distinct().Count() < 2)
            {
                KeptConnection connection = await KeptConnection.OpenAsync(test._address, Limit);
                Assert.That(await connection.AskAsync(Limit), Is.Null);
                opened.Add(connection);
                Assert.That(opened, Has.Count.LessThan(1000), "one worker accepts everything");
            }
            KeptConnection[] kept = [.. opened.GroupBy(connection => connection.Process).SelectMany(group => group.Take(Connections / 2))];
            foreach (KeptConnection connection in opened.Except(kept))
                connection.Dispose();
            for (int i = 0; i < kept.Length; i++)
            {
                int index = i;
                load._tasks.Add(Task.Run(() => load.RunAsync(index, kept[index])));
            }
            await load.EachConnectionIsAnsweredOftenAgainAsync();
            return load;
        }

        internal async Task EachConnectionIsAnsweredOftenAgainAsync()
        {
            Dictionary<int, int> before = _tasks.Select((_, index) => index).ToDictionary(index => index, Answers);
            await Eventually(() => before.All(entry => Answers(entry.Key) >= entry.Value + SteadyAnswers), "every connection is answered");
        }

        internal async Task StopAsync()
        {
            await _over.CancelAsync();
            await Task.WhenAll(_tasks);
        }

        public void Dispose() => _over.Cancel();

        private int Answers(int index) => _connections.TryGetValue(index, out (int Process, int Answers) known) ? known.Answers : 0;

        private async Task RunAsync(int index, KeptConnection connection)
        {
            int answers = 0;
            while (!_over.IsCancellationRequested)
            {
                string? failure = await connection.AskAsync(Limit);
                if (failure is not null)
                    test._failures.Enqueue((connection.Process, failure));
                else
                    _connections[index] = (connection.Process, ++answers);
                if (connection.IsOver || failure is not null)
                {
                    connection.Dispose();
                    connection = await KeptConnection.OpenAsync(test._address, Limit);
                }
            }
            connection.Dispose();
        }
    }
}
