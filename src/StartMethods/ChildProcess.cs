using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using StartMethods.Bootstrap;
using StartMethods.Channels;

namespace StartMethods;

/// <summary>
/// A function that runs in another process. <see cref="RunAsync(Action, CancellationToken)"/> and its overloads run one and return its result;
/// <see cref="Start(Action, ChildOptions?)"/> and its overloads return the child itself, to hold on to.
/// </summary>
/// <remarks>
/// Python: <c>multiprocessing.Process</c>. The body and what it captures travel to the child, the result and exceptions travel back. A byte[] of 256 KiB or more travels
/// from where it is: do not change it before the child has answered. Members may be used from several threads.
/// </remarks>
public partial class ChildProcess : IAsyncDisposable
{
    private static ConcurrentDictionary<ChildProcess, byte> s_alive = new();
    private static CurrentChild? s_current;

    private readonly ChildSession _session;

    private protected ChildProcess(ChildJob job, ChildOptions? options)
    {
        Job = job;
        Options = options ?? ChildOptions.Defaults;
        _session = new ChildSession(job, Options);
        s_alive.TryAdd(this, 0);
        _session.OnEnded = () => s_alive.TryRemove(this, out _);
        if (_session.Ended.IsCompleted)
            s_alive.TryRemove(this, out _); // it ended before the line above
    }

    /// <summary>The children of this process that have not ended yet. Python: <c>multiprocessing.active_children</c>.</summary>
    public static IReadOnlyCollection<ChildProcess> Active => [.. s_alive.Keys.Where(child => !child._session.Ended.IsCompleted)];   // it leaves the set a moment after its end is told

    /// <summary>What this process is, inside a child; null in a process that is not a child of this library.</summary>
    public static CurrentChild? Current => ChildContext.Current is { } context ? s_current ??= new CurrentChild(context) : null;

    /// <summary>The process id. For people and logs: once the child has ended, it may belong to another process. Signals go by pidfd.</summary>
    public int Id => _session.Process.Id;

    /// <summary>The name: <see cref="ChildOptions.Name"/>, or "child-1", "child-2" …</summary>
    public string Name => _session.Name;

    /// <summary>How it was started.</summary>
    public StartMethod Method => _session.Method;

    /// <summary>Whether the process has ended.</summary>
    public bool HasExited => _session.Process.HasExited;

    /// <summary>How it ended; null while it runs.</summary>
    public ExitStatus? ExitStatus => _session.Process.ExitStatus;

    /// <summary>What it used; null while it runs, and where the system does not tell.</summary>
    public ResourceUsage? Usage => _session.Process.Usage;

    /// <summary>Writes to its standard input, where <see cref="ChildOptions.StandardInput"/> is a pipe.</summary>
    public Stream? StandardInput => _session.Streams.InputStream ?? _session.Process.StandardInput;

    /// <summary>Reads its standard output, where <see cref="ChildOptions.StandardOutput"/> is a pipe.</summary>
    public Stream? StandardOutput => _session.Streams.OutputStream ?? _session.Process.StandardOutput;

    /// <summary>Reads its standard error, where <see cref="ChildOptions.StandardError"/> is a pipe.</summary>
    public Stream? StandardError => _session.Streams.ErrorStream ?? (_session.Streams.Relay is null ? _session.Process.StandardError : null);

    /// <summary>
    /// Completes when the body has returned; fails with what it threw, or with why there is no answer. It does not wait for the process to end.
    /// </summary>
    /// <exception cref="ChildCrashedException">It ended without an answer.</exception>
    /// <exception cref="ChildTimeoutException">It took longer than <see cref="ChildOptions.Timeout"/>, or than <see cref="ChildOptions.StartTimeout"/> to start.</exception>
    /// <exception cref="ChildFailedException">The body threw an exception that cannot be rebuilt here; else that very exception is thrown.</exception>
    public Task Result => ResultTask;

    // One reading of the answer, whichever of the two properties is asked.
    private protected virtual Task ResultTask => Once(ref _result, ReadAsync<object?>);

    private Task<object?>? _result;
    private bool _isRead;

    private protected ChildJob Job { get; }

    private protected ChildOptions Options { get; }

    /// <summary>Completes when the process has ended and was reaped.</summary>
    /// <exception cref="OperationCanceledException">The wait was cancelled; the child is not touched.</exception>
    public Task<ExitStatus> WaitForExitAsync(CancellationToken cancellationToken = default) => _session.Ended.WaitAsync(cancellationToken);

    /// <summary>Blocks until the process has ended, and returns how.</summary>
    public ExitStatus WaitForExit() => _session.Ended.GetAwaiter().GetResult();

    /// <summary>Blocks until the process has ended or the time is over (zero: only looks). May be repeated.</summary>
    /// <returns>Whether it has ended.</returns>
    public bool WaitForExit(TimeSpan timeout) => _session.Ended.Wait(timeout);

    /// <summary>Asks the process to end: SIGTERM. Does nothing once it has ended.</summary>
    public void Terminate() => _session.Process.Terminate();

    /// <summary>Kills the process: SIGKILL. Does nothing once it has ended.</summary>
    public void Kill() => _session.Process.Kill();

    /// <summary>Sends a signal, by pidfd: never to a process that has the same id later. Raw numbers are allowed: <c>(PosixSignal)10</c>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a signal.</exception>
    public void Signal(PosixSignal signal) => _session.Process.Signal(signal);

    /// <summary>
    /// Cancels the child: its body's token first, SIGTERM after <see cref="ChildOptions.Grace"/>, then SIGKILL. <see cref="Result"/> fails with an
    /// <see cref="OperationCanceledException"/>. Returns at once.
    /// </summary>
    public void Cancel() => _session.Cancel(CancellationToken.None);

    /// <summary>Ends the child if it has not answered yet, as <see cref="Cancel"/> does, and waits until it has ended. Never fails; may be repeated.</summary>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (!_session.Answer.IsCompleted)
            _session.End(EndCause.Disposed);
        await _session.Ended.ConfigureAwait(false);
        StandardInput?.Dispose();
        StandardOutput?.Dispose();
        StandardError?.Dispose();
        // Nobody asked for it: descriptors in it are closed.
        if (!Volatile.Read(ref _isRead))
            _session.Answer.Result.Dispose();
    }

    /// <summary>"child-1 (process 4711, spawn)".</summary>
    public override string ToString() => $"{Name} (process {Id}, {Method.Name})";

    /// <summary>For a child that is a copy of this process: its parent's children are not its own. Their set is left, not emptied: a thread that did not come along may hold a lock of it.</summary>
    /// <param name="isRehearsal">Whether this is the process that will be forked.</param>
    internal static void ForgetAll(bool isRehearsal)
    {
        ConcurrentDictionary<ChildProcess, byte> none = new();
        if (!isRehearsal)
            s_alive = none;
    }

    private protected Task<T> ReadAsync<T>()
    {
        // A plain value is read without any of the user's code: by the thread that has received it, which spares whoever blocks a detour through the pool.
        bool isPlain = Options.Serializer is null && (typeof(T).IsPrimitive || typeof(T) == typeof(string) || Job.ResultType == typeof(void));
        if (!isPlain || _session.Answer.IsCompleted)
            return ReadAnywhereAsync<T>();
        if (_session.IsSpare)
            return AwaitedAnswer.Of(_session, answer => (T)answer.Read(Job.ResultType, Options.Serializer)!);
        TaskCompletionSource<T> result = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _session.Answer.ContinueWith(answer =>
        {
            if (answer.Result.IsResult)
                result.SetFromTask(ReadAnywhereAsync<T>());
            else
                ReadOnPoolAsync<T>(answer.Result).ContinueWith(result.SetFromTask, CancellationToken.None, TaskContinuationOptions.None, CompletingThread.Scheduler);
        }, CancellationToken.None, TaskContinuationOptions.None, CompletingThread.Scheduler);
        return result.Task;
    }

    private async Task<T> ReadAnywhereAsync<T>()
    {
        ChildAnswer answer = await _session.Answer.ConfigureAwait(false);
        return (T)answer.Read(Job.ResultType, Options.Serializer)!;
    }

    // Exceptions are rebuilt by code of their own, which runs on the pool.
    private async Task<T> ReadOnPoolAsync<T>(ChildAnswer answer)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return (T)answer.Read(Job.ResultType, Options.Serializer)!;
    }

    // Two first readers at once must not read the frame twice.
    private protected Task<T> Once<T>(ref Task<T>? task, Func<Task<T>> read)
    {
        if (Volatile.Read(ref task) is { } known)
            return known;
        lock (_session)
        {
            _isRead = true;
            return task ??= read();
        }
    }

    private protected void CancelBy(CancellationToken token) => _session.Cancel(token);
}
