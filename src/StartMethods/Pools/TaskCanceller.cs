namespace StartMethods.Pools;

/// <summary>Cancels the token of the running task when the application asks for it. The request and the task's start may come in any order.</summary>
internal sealed class TaskCanceller
{
    private readonly Lock _gate = new();
    private CancellationTokenSource? _source;
    private long _current;
    private long _asked;

    /// <summary>The token of a task that is about to begin.</summary>
    internal CancellationToken Enter(long taskId)
    {
        lock (_gate)
        {
            _current = taskId;
            _source = new CancellationTokenSource();
            CancelIfAsked();
            return _source.Token;
        }
    }

    internal void Leave()
    {
        lock (_gate)
        {
            _current = 0;
            _source = null; // not disposed: the body may have kept the token
        }
    }

    internal void Ask(long taskId)
    {
        lock (_gate)
        {
            _asked = taskId;
            CancelIfAsked();
        }
    }

    private void CancelIfAsked()
    {
        if (_source is { } source && _current != 0 && _asked == _current)
            _ = source.CancelAsync(); // what is registered with it is the user's code, and may be slow or throw
    }
}
