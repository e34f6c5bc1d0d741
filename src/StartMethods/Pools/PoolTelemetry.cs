using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using StartMethods.Diagnostics;

namespace StartMethods.Pools;

/// <summary>What can be observed of pools from outside: activities, meters and events, all named "StartMethods".</summary>
internal static class PoolTelemetry
{
    private static readonly List<WeakReference<PoolCore>> Pools = [];
    private static readonly ActivitySource Activities = new("StartMethods");
    private static readonly Meter Meter = new("StartMethods");

    internal static LibraryEventSource Log => LibraryEventSource.Log;

    static PoolTelemetry()
    {
        Meter.CreateObservableUpDownCounter("startmethods.pool.workers", static () => Measure(static s => s.Workers), "{worker}", "Worker processes that exist.");
        Meter.CreateObservableUpDownCounter("startmethods.pool.idle", static () => Measure(static s => s.Idle), "{worker}", "Workers that have nothing to do.");
        Meter.CreateObservableUpDownCounter("startmethods.pool.queued", static () => Measure(static s => s.Queued), "{task}", "Tasks that wait.");
        Meter.CreateObservableUpDownCounter("startmethods.pool.running", static () => Measure(static s => s.Running), "{task}", "Tasks that run.");
        Meter.CreateObservableCounter("startmethods.pool.succeeded", static () => Measure(static s => s.Succeeded), "{task}", "Tasks that returned.");
        Meter.CreateObservableCounter("startmethods.pool.failed", static () => Measure(static s => s.Failed), "{task}", "Tasks that threw, lost their worker or took too long.");
        Meter.CreateObservableCounter("startmethods.pool.cancelled", static () => Measure(static s => s.Cancelled), "{task}", "Tasks that were cancelled.");
        Meter.CreateObservableCounter("startmethods.pool.workers_started", static () => Measure(static s => s.WorkersStarted), "{worker}", "Worker processes that were started.");
        Meter.CreateObservableCounter("startmethods.pool.workers_crashed", static () => Measure(static s => s.WorkersCrashed), "{worker}", "Worker processes that ended unasked.");
    }

    internal static void Add(PoolCore pool)
    {
        lock (Pools)
            Pools.Add(new WeakReference<PoolCore>(pool));
    }

    internal static void Remove(PoolCore pool)
    {
        lock (Pools)
            Pools.RemoveAll(known => !known.TryGetTarget(out PoolCore? target) || target == pool);
    }

    private static List<Measurement<long>> Measure(Func<PoolStatistics, long> value)
    {
        WeakReference<PoolCore>[] pools;
        lock (Pools)
            pools = [.. Pools];
        var measurements = new List<Measurement<long>>();
        foreach (WeakReference<PoolCore> known in pools)
        {
            if (known.TryGetTarget(out PoolCore? pool))
                measurements.Add(new Measurement<long>(value(pool.Statistics()), new KeyValuePair<string, object?>("startmethods.pool.name", pool.Name)));
        }
        return measurements;
    }

    /// <summary>The caller's trace, for the worker; null where nobody traces.</summary>
    internal static string? CurrentTrace() => Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { Length: <= 128 } id } ? id : null;

    /// <summary>In a worker: what the body sees as the current activity.</summary>
    internal static Activity? StartTask(ReadOnlySpan<byte> traceParent, string pool)
    {
        string parent = Encoding.ASCII.GetString(traceParent);
        Activity? activity = Activities.StartActivity("startmethods.pool.task", ActivityKind.Consumer, parent);
        activity ??= new Activity("startmethods.pool.task").SetParentId(parent).Start(); // nobody listens here, but what the body calls may pass the trace on
        return activity.SetTag("startmethods.pool.name", pool);
    }
}
