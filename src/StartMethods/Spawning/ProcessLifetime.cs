using System.Runtime.CompilerServices;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>One started process, from its start to its end: the only thing that waits for it, reaps it and signals it.</summary>
/// <remarks>Not disposable: it lives until the process has ended and been reaped, whoever holds it, so that nothing leaves a zombie.</remarks>
internal abstract class ProcessLifetime
{
    // Continuations run elsewhere: the thread that completes this is the reactor, which runs no user code.
    private readonly TaskCompletionSource<ExitStatus> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The process id. Only a name for people: signals go by pidfd.</summary>
    internal abstract int Id { get; }

    /// <summary>Completes when the process has ended and its status was taken; never fails.</summary>
    internal Task<ExitStatus> Exited
    {
        get
        {
            if (!_exited.Task.IsCompleted)
                OnAwaited();
            return _exited.Task;
        }
    }

    /// <summary>Whether the status was taken; asks nobody.</summary>
    protected bool IsComplete => _exited.Task.IsCompleted;

    /// <summary>Whether the process has ended; asks the system.</summary>
    internal bool HasExited => _exited.Task.IsCompleted || Poll();

    /// <summary>How it ended; null while it runs.</summary>
    internal ExitStatus? Status => HasExited ? _exited.Task.Result : null;

    /// <summary>What it used; null while it runs, and where the system does not tell.</summary>
    internal ResourceUsage? Usage { get; private set; }

    /// <summary>What is removed when it has ended; null: nothing.</summary>
    internal RuntimeFiles? Files { get; set; }

    /// <summary>Sends a signal (a number of this system); does nothing once the process has ended.</summary>
    /// <returns>Whether there was a process to send it to.</returns>
    internal bool Signal(int signal) => Signal(signal, SignalScope.Process);

    /// <summary>Sends a signal to the process, or to the group that it leads.</summary>
    internal abstract bool Signal(int signal, SignalScope scope);

    /// <summary>Blocks the calling thread until the process has ended or the time is over (<see cref="Timeout.InfiniteTimeSpan"/>: for ever).</summary>
    internal abstract bool WaitForExit(TimeSpan timeout);

    /// <summary>Somebody is about to wait for <see cref="Exited"/>: from now on the end must be noticed when it comes.</summary>
    protected virtual void OnAwaited() { }

    /// <summary>Takes the status if the process has ended.</summary>
    protected abstract bool Poll();

    protected void Complete(ExitStatus status, ResourceUsage? usage)
    {
        Usage = usage;
        Files?.Remove();
        _exited.TrySetResult(status);
    }

    /// <summary>The lifetime of a child that an engine of this library has just started.</summary>
    /// <param name="id">Its process id; nobody has waited for it yet.</param>
    /// <param name="pidfd">Its pidfd, which the lifetime owns from now on; null: it opens one itself.</param>
    internal static ProcessLifetime OfChild(int id, FileDescriptor? pidfd)
    {
        if (pidfd is null)
        {
            int opened = Native.ProcessOpen(id);
            if (opened >= 0)
                pidfd = new FileDescriptor(opened);
        }
        if (pidfd is null)
            return new PidLifetime(id);
        try
        {
            return new PidfdLifetime(id, pidfd);
        }
        catch (StartMethodException)
        {
            // No epoll instance, or no more watches (RLIMIT_NOFILE, max_user_watches): a child that nobody can wait for must not be left behind.
            _ = Native.ProcessSignal(id, pidfd.Number, SignalNumber.Kill, SignalScope.Process);
            _ = Native.ProcessWait(id, pidfd.Number, -1);
            ExitInfo info = new() { Size = (uint)Unsafe.SizeOf<ExitInfo>() };
            _ = Native.ProcessReap(id, pidfd.Number, ref info);
            pidfd.Dispose();
            throw;
        }
    }
}
