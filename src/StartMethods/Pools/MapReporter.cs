using System.Diagnostics;

namespace StartMethods.Pools;

/// <summary>Tells how far a map is, not too often.</summary>
internal sealed class MapReporter(IProgress<MapProgress>? progress, long? total)
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private long _reported;

    internal long Submitted { get; set; }
    internal long Completed { get; set; }

    internal void Report()
    {
        if (progress is null || Stopwatch.GetElapsedTime(_reported).TotalMilliseconds < 50)
            return;
        End();
    }

    internal void End()
    {
        _reported = Stopwatch.GetTimestamp();
        progress?.Report(new MapProgress(Completed, Submitted, total, Stopwatch.GetElapsedTime(_started)));
    }
}
