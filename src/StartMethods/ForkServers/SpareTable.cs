namespace StartMethods.ForkServers;

/// <summary>
/// Counts the spare children of a server: those that wait, and those that are on their way. Knows nothing of processes, so that every order of events can be tried.
/// Not thread-safe: its owner locks.
/// </summary>
internal sealed class SpareTable<T>(int wanted) where T : class
{
    private readonly Stack<T> _idle = new(); // the one that came last is the warmest
    private int _coming;
    private int _generation;

    /// <summary>How many there may be.</summary>
    internal int Wanted { get; } = wanted;

    internal int Idle => _idle.Count;

    internal int Coming => _coming;

    /// <summary>How many are to be asked for now; they count as coming from here on.</summary>
    internal int TakeOrders()
    {
        int missing = Math.Max(0, Wanted - _idle.Count - _coming);
        _coming += missing;
        return missing;
    }

    /// <summary>Orders made now are of this generation.</summary>
    internal int Generation => _generation;

    /// <summary>A spare that was asked for has come.</summary>
    /// <returns>False: it is of an older image, and not to be kept.</returns>
    internal bool Arrived(T spare, int generation)
    {
        if (generation != _generation)
            return false;
        _coming--;
        _idle.Push(spare);
        return true;
    }

    /// <summary>A spare that was asked for will not come.</summary>
    internal void Failed(int generation)
    {
        if (generation == _generation)
            _coming--;
    }

    /// <summary>Takes a spare, if one waits.</summary>
    internal T? TryTake() => _idle.TryPop(out T? spare) ? spare : null;

    /// <summary>A newer image: what waits is handed back to be ended, what is coming will not be kept.</summary>
    internal IReadOnlyList<T> Renew()
    {
        T[] old = [.. _idle];
        _idle.Clear();
        _coming = 0;
        _generation++;
        return old;
    }
}
