namespace StartMethods.Tests;

/// <summary>A clock that goes only where a test moves it.</summary>
internal sealed class StoppedClock : TimeProvider
{
    internal TimeSpan Now { get; set; } = TimeSpan.FromHours(1);

    public override long GetTimestamp() => Now.Ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
}
