using System.Diagnostics.Tracing;
using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <summary>An event of a worker on its way to the application: as it came, since it is read by the thread that hands it over. It may be anything.</summary>
internal sealed class EventReport(PoolWorker worker, ReadOnlyMemory<byte> bytes)
{
    /// <summary>The most bytes that a worker sends: 32 Ki characters of text, and as much for the names and numbers.</summary>
    internal const int MaxBytes = 256 * 1024;

    /// <summary>Reads it, and tells the handler and whoever listens to the events of this library.</summary>
    internal void HandOver(Action<WorkerEvent>? handler, string pool)
    {
        WorkerEvent report;
        try
        {
            report = Read();
        }
        catch (PayloadException e)
        {
            worker.Error ??= e;
            worker.Signal(kill: true);
            return;
        }
        if (PoolTelemetry.Log.IsEnabled(report.Level, EventKeywords.None))
            PoolTelemetry.Log.WorkerEvent(pool, report.Worker, report.ProcessId, report.Source, report.Name, report.Message);
        handler?.Invoke(report);
    }

    private WorkerEvent Read()
    {
        var reader = new MessagePackReader(bytes);
        reader.ReadArrayHeader(9);
        string source = reader.ReadText(), name = reader.ReadText();
        int id = reader.ReadInt32(), level = reader.ReadInt32(0, 255);
        long keywords = reader.ReadInt64(), ticks = reader.ReadInt64();
        int thread = reader.ReadInt32();
        string message = reader.ReadText();
        int count = reader.ReadArrayHeader();
        if (count > EventForwarder.MaxValues)
            throw MessagePackReader.Malformed($"an event has {count} values");
        var values = new KeyValuePair<string, string?>[count];
        for (int i = 0; i < count; i++)
        {
            reader.ReadArrayHeader(2);
            values[i] = new KeyValuePair<string, string?>(reader.ReadText(), reader.ReadString());
        }
        return new WorkerEvent
        {
            Worker = worker.Name, ProcessId = worker.ProcessId, ThreadId = thread, Source = source, Name = name, Id = id, Level = (EventLevel)level, Keywords = (EventKeywords)keywords,
            Time = new DateTime(Math.Clamp(ticks, 0, DateTime.MaxValue.Ticks), DateTimeKind.Utc), Message = message, Values = values,
        };
    }
}
