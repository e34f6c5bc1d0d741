namespace StartMethods.ForkServers;

/// <summary>
/// Keeps a server that dies again and again from being started again and again. It opens after five deaths in half a minute between which no child was forked, for
/// one second, then two, up to half a minute; one start is then let through to try. Not thread-safe: its owner locks.
/// </summary>
internal sealed class ServerBreaker(TimeProvider clock)
{
    internal const int Limit = 5;
    internal static readonly TimeSpan Window = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromSeconds(30);

    private readonly Queue<long> _deaths = new();
    private TimeSpan _pause = FirstPause;
    private long _openedAt;
    private bool _isOpen;
    private int _inARow;
    private string _last = "";

    /// <summary>A server died.</summary>
    /// <param name="how">For the error: "killed by SIGSEGV".</param>
    internal void Died(string how)
    {
        _last = how;
        _inARow++;
        _deaths.Enqueue(clock.GetTimestamp());
        Forget();
        if (_isOpen)
            _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause; // the one that was let through to try
        else if (_deaths.Count < Limit)
            return;
        _isOpen = true;
        _openedAt = clock.GetTimestamp();
    }

    /// <summary>A server did what it is for, so what came before is forgiven.</summary>
    internal void Served()
    {
        if (_inARow == 0)
            return;
        _deaths.Clear();
        (_isOpen, _pause, _inARow) = (false, FirstPause, 0);
    }

    /// <summary>Why no server may be started now; null where one may.</summary>
    internal string? Refusal()
    {
        if (!_isOpen)
            return null;
        TimeSpan left = _pause - clock.GetElapsedTime(_openedAt);
        return left <= TimeSpan.Zero
            ? null
            : $"{_inARow} servers in a row died before they had forked a child, the last one {_last}; the next attempt is made in {Math.Ceiling(left.TotalSeconds):0} s. "
                + "What ends them is in their standard error; StartMethod.Spawn needs no server.";
    }

    private void Forget()
    {
        while (_deaths.TryPeek(out long oldest) && clock.GetElapsedTime(oldest) > Window)
            _deaths.Dequeue();
    }
}
