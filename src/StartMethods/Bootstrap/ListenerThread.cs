namespace StartMethods.Bootstrap;

/// <summary>
/// The thread on which a child listens to its parent. A process that will be forked starts it ahead and lets it wait: the fork gives it to each child, which
/// then need not have the runtime start one.
/// </summary>
internal sealed class ListenerThread
{
    internal const string Name = "StartMethods Channel";
    private static ListenerThread? s_parked;
    private readonly ManualResetEventSlim _called = new(false, spinCount: 0);
    private readonly Thread _thread;
    private Action? _listen;

    private ListenerThread(Action? listen)
    {
        _listen = listen;
        _thread = new Thread(Run, maxStackSize: 256 * 1024) { Name = Name, IsBackground = true };
        _thread.UnsafeStart();
    }

    /// <summary>Lets a thread wait for the next <see cref="Start"/>, in this process or in each child that is forked from it.</summary>
    internal static void Park() => s_parked ??= new ListenerThread(null);

    /// <summary>Runs it on a thread of its own: on the one that waits, or else on a new one.</summary>
    internal static ListenerThread Start(Action listen)
    {
        if (Interlocked.Exchange(ref s_parked, null) is not { } parked)
            return new ListenerThread(listen);
        parked._listen = listen;
        parked._called.Set();
        return parked;
    }

    /// <summary>Waits until it has ended.</summary>
    internal void Join() => _thread.Join();

    private void Run()
    {
        if (_listen is null)
            _called.Wait();
        _listen!();
    }
}
