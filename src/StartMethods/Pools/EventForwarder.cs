using System.Diagnostics.Tracing;
using System.Globalization;
using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Payloads;

namespace StartMethods.Pools;

/// <summary>
/// In a worker: sends the events of the sources that the application wants to hear over the channel of the worker's start. By the thread that wrote the event and before it goes
/// on: what was reported before a crash has left. The application always reads there, so that nobody waits long.
/// </summary>
internal sealed class EventForwarder : EventListener
{
    internal const int MaxValues = 64;
    private const int MaxCharacters = 32 * 1024;

    [ThreadStatic]
    private static bool t_sends; // sending may itself cause events

    private readonly ParentLink? _parent;
    private readonly WorkerEventSource[]? _sources;

    internal EventForwarder(WorkerEventSource[] sources)
    {
        _parent = ParentLink.Current ?? throw new InvalidOperationException("This process is not a child that runs a body.");
        _sources = sources;
        foreach (EventSource known in EventSource.GetSources())
            Enable(known); // the base class has told of them before there was anything here to compare with
    }

    protected override void OnEventSourceCreated(EventSource eventSource) => Enable(eventSource);

    private void Enable(EventSource source)
    {
        foreach (WorkerEventSource wanted in _sources ?? [])
        {
            if (wanted.Name == source.Name)
                EnableEvents(source, wanted.Level, wanted.Keywords);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (t_sends || _parent is null || !IsWanted(eventData.EventSource.Name))
            return;
        t_sends = true;
        try
        {
            _parent.Send(new FrameContent(FrameMessage.Event, Encode(eventData)));
        }
        catch (StartMethodException)
        {
            // The application is gone, and this process is about to be.
        }
        finally
        {
            t_sends = false;
        }
    }

    // Some sources of the runtime tell every listener, whatever it has enabled.
    private bool IsWanted(string source)
    {
        foreach (WorkerEventSource wanted in _sources!)
        {
            if (wanted.Name == source)
                return true;
        }
        return false;
    }

    private static byte[] Encode(EventWrittenEventArgs e)
    {
        var writer = new MessagePackWriter();
        int room = MaxCharacters;
        writer.WriteArrayHeader(9);
        writer.WriteString(e.EventSource.Name);
        writer.WriteString(Cut(e.EventName ?? "", ref room));
        writer.WriteInt32(e.EventId);
        writer.WriteInt32((int)e.Level);
        writer.WriteInt64((long)e.Keywords);
        writer.WriteInt64(e.TimeStamp.Ticks);
        writer.WriteInt32(Environment.CurrentManagedThreadId);
        int count = Math.Min(MaxValues, Math.Min(e.Payload?.Count ?? 0, e.PayloadNames?.Count ?? 0));
        string?[] values = new string?[count];
        for (int i = 0; i < count; i++)
            values[i] = Text(e.Payload![i]);
        writer.WriteString(Cut(Message(e, values), ref room));
        writer.WriteArrayHeader(count);
        for (int i = 0; i < count; i++)
        {
            writer.WriteArrayHeader(2);
            writer.WriteString(Cut(e.PayloadNames![i], ref room));
            writer.WriteString(values[i] is { } value ? Cut(value, ref room) : null);
        }
        return writer.Written.ToArray();
    }

    private static string Message(EventWrittenEventArgs e, string?[] values)
    {
        if (e.Message is { Length: > 0 } format)
        {
            try
            {
                return string.Format(CultureInfo.InvariantCulture, format, values);
            }
            catch (FormatException)
            {
                // a text that was not meant as a format
            }
            return format;
        }
        return string.Join(", ", values.Select((value, i) => $"{e.PayloadNames![i]}={value}"));
    }

    private static string? Text(object? value) => value switch
    {
        null => null,
        string text => text,
        byte[] bytes => Convert.ToHexString(bytes.AsSpan(0, Math.Min(bytes.Length, 1024))),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        // Logging reports its values as a list of named values.
        System.Collections.IEnumerable many => string.Join(", ", many.Cast<object?>().Take(MaxValues).Select(Part)),
        _ => value.ToString(),
    };

    private static string? Part(object? value) =>
        value is IDictionary<string, object?> pair && pair.TryGetValue("Key", out object? key) && pair.TryGetValue("Value", out object? of) ? $"{Text(key)}={Text(of)}" : Text(value);

    private static string Cut(string text, ref int room)
    {
        string cut = text.Length <= room ? text : text[..room];
        room -= cut.Length;
        return cut;
    }
}
