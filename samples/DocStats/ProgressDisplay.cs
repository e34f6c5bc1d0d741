namespace DocStats;

/// <summary>A bar that is redrawn on a terminal, and one plain line a step where the output goes anywhere else.</summary>
internal sealed class ProgressDisplay(int steps)
{
    private const int Width = 40;
    private readonly Lock _lock = new();
    private int _done;

    public void Advance(string what)
    {
        lock (_lock)
        {
            _done++;
            if (Console.IsOutputRedirected)
            {
                Console.WriteLine($"[{_done}/{steps}] {what}");
                return;
            }
            int filled = Width * _done / steps;
            Console.Write($"\r[{new string('█', filled)}{new string('░', Width - filled)}] {_done}/{steps} {what,-36}");
            if (_done == steps)
                Console.WriteLine();
        }
    }
}
