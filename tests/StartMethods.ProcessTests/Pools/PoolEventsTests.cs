using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Tracing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace StartMethods.ProcessTests;

/// <summary>Events of event sources in workers, and the lines of their loggers, come back with their worker.</summary>
[Category("Portable")]
public class PoolEventsTests : IsolatedProcessTest
{
    [EventSource(Name = "StartMethods-Tests-Work")]
    private sealed class WorkEvents : EventSource
    {
        internal static readonly WorkEvents Log = new();

        [Event(1, Level = EventLevel.Informational, Message = "Step {0} of {1}")]
        internal void Step(int number, string name) => WriteEvent(1, number, name);

        [Event(2, Level = EventLevel.Verbose)]
        internal void Detail(long value) => WriteEvent(2, value);

        [Event(3, Level = EventLevel.Error)]
        internal void Big(string text) => WriteEvent(3, text);
    }

    /// <summary>Hears the library's own events in this process.</summary>
    private sealed class OwnListener : EventListener
    {
        internal readonly ConcurrentQueue<string> Heard = new();

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "StartMethods")
                EnableEvents(eventSource, EventLevel.Informational);
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData.EventName == "WorkerEvent")
                Heard.Enqueue(string.Join('|', eventData.Payload!));
        }
    }

    [TestCaseSource(typeof(PoolMethods), nameof(PoolMethods.All))]
    public async Task Events_of_the_named_sources_come_back_with_their_worker_and_their_values(string method)
    {
        string[] heard = await PoolMethods.RunAsync(method, HeardAsync, Limit);
        Assert.That(heard, Is.EqualTo(new[] { "True True 1 Step 7 of seven Informational number=7 name=seven", "True True 3 text=last Error text=last" }));
    }

    private static async Task<string[]> HeardAsync(StartMethod method)
    {
        var heard = new ConcurrentQueue<WorkerEvent>();
        int process = 0;
        var options = new WorkerPoolOptions { Workers = 1, Name = "told", Method = method, Events = heard.Enqueue, EventSources = { new WorkerEventSource("StartMethods-Tests-Work") } };
        await using (var pool = new WorkerPool(options))
        {
            process = await pool.RunAsync(static () => Environment.ProcessId, Limit);
            try
            {
                await pool.RunAsync(static () =>
                {
                    WorkEvents.Log.Step(7, "seven");
                    WorkEvents.Log.Detail(1); // more verbose than asked for
                    WorkEvents.Log.Big("last");
                    using Process self = Process.GetCurrentProcess();
                    self.Kill(); // what was reported has left already
                    Thread.Sleep(Timeout.Infinite);
                }, Limit);
            }
            catch (ChildCrashedException)
            {
                // as asked
            }
        }
        return [.. heard.Select(e => $"{e.ProcessId == process} {e.Worker == "told-1"} {e.Id} {e.Message} {e.Level} {string.Join(' ', e.Values.Select(value => $"{value.Key}={value.Value}"))}")];
    }

    [Test]
    public async Task Lines_of_loggers_in_workers_come_back()
    {
        var heard = new ConcurrentQueue<WorkerEvent>();
        var options = new WorkerPoolOptions { Workers = 2, Events = heard.Enqueue, EventSources = { new WorkerEventSource("Microsoft-Extensions-Logging", EventLevel.Informational, (EventKeywords)4) } };
        await using (var pool = new WorkerPool(options))
        {
            await pool.RunAsync(static () =>
            {
                using ServiceProvider services = new ServiceCollection().AddLogging(static logging => logging.AddEventSourceLogger()).BuildServiceProvider();
                ILogger logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("Work.Orders");
                logger.LogWarning("Order {Order} took {Seconds} s", 4711, 1.5);
                logger.LogDebug("too verbose");
            }, Limit);
        }
        WorkerEvent line = heard.Single();
        Dictionary<string, string?> values = line.Values.ToDictionary();
        Assert.That((values["LoggerName"], values["FormattedMessage"], values["Level"]), Is.EqualTo(("Work.Orders", "Order 4711 took 1.5 s", "3")));
    }

    [Test]
    public async Task Events_of_workers_are_told_again_by_the_event_source_of_the_library()
    {
        using var listener = new OwnListener();
        await using (var pool = new WorkerPool(new WorkerPoolOptions { Workers = 1, Name = "again", EventSources = { new WorkerEventSource("StartMethods-Tests-Work") } }))
        {
            int process = await pool.RunAsync(static () => { WorkEvents.Log.Step(1, "one"); return Environment.ProcessId; }, Limit);
            await Eventually(() => !listener.Heard.IsEmpty, "the event was told again");
            Assert.That(listener.Heard, Is.EqualTo(new[] { $"again|again-1|{process}|StartMethods-Tests-Work|Step|Step 1 of one" }));
        }
    }

    [Test]
    public async Task A_flood_of_large_events_neither_holds_up_tasks_nor_takes_memory()
    {
        using var hang = new ManualResetEventSlim();
        long before = GC.GetTotalMemory(forceFullCollection: true);
        var options = new WorkerPoolOptions { Workers = 2, Events = _ => hang.Wait(), EventSources = { new WorkerEventSource("StartMethods-Tests-Work") } };
        await using (var pool = new WorkerPool(options))
        {
            await Task.WhenAll(pool.RunAsync(Flood, Limit), pool.RunAsync(Flood, Limit));
            Assert.That(GC.GetTotalMemory(forceFullCollection: true) - before, Is.LessThan(16 * 1024 * 1024));
            Assert.That(await pool.RunAsync(static x => x + 1, 1, Limit), Is.EqualTo(2));
            Assert.That(pool.Statistics.OutputLost, Is.GreaterThan(1000));
        }
        hang.Set();

        static void Flood()
        {
            string text = new('x', 40_000);
            for (int i = 0; i < 1000; i++)
                WorkEvents.Log.Big(text);
        }
    }
}
