namespace StartMethods.ForkServers;

/// <summary>
/// Whether starts follow one another so closely that the next child is worth forking before it is asked for, and for how long it waits. Not thread-safe: its owner locks.
/// </summary>
internal sealed class Succession(TimeProvider clock)
{
    /// <summary>A start that comes later than this after the last one does not follow it. Changed by tests alone, which a slow machine must not decide.</summary>
    internal static TimeSpan Soon { get; set; } = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// How long after the last start a child still waits for the next one. Less than a server waits before it tidies its memory up, which it can do only while nobody shares that.
    /// Changed by tests alone.
    /// </summary>
    internal static TimeSpan Patience { get; set; } = TimeSpan.FromMilliseconds(10);

    /// <summary>So many in a row are a loop, or load: what a program starts at once, and then nothing more, needs no child that nobody will take.</summary>
    internal const int Row = 4;

    private long _last;
    private int _followed;

    /// <summary>A child is started now.</summary>
    /// <returns>Whether the next one is to be forked.</returns>
    internal bool Started()
    {
        long now = clock.GetTimestamp();
        _followed = clock.GetElapsedTime(_last, now) > Soon ? 0 : Math.Min(_followed + 1, Row);
        _last = now;
        return _followed == Row;
    }

    /// <summary>How much longer a child waits; not positive: it is not needed.</summary>
    internal TimeSpan Left => Patience - clock.GetElapsedTime(_last);
}
