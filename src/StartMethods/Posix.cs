using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using StartMethods.Bootstrap;
using StartMethods.Forking;
using StartMethods.Interop;

namespace StartMethods;

/// <summary>
/// fork(2) and forkpty(3) as POSIX and Python have them, for those who want a copy of this very process: they return twice. Most programs want
/// <see cref="ChildProcess"/> with <see cref="StartMethod.Fork"/>, which builds on the same and has results, errors and waiting.
/// </summary>
/// <remarks>
/// Linux on x64, on the runtimes that <see cref="StartMethod.UnsupportedReason"/> of <see cref="StartMethod.Fork"/> does not exclude. The child is a whole .NET process: garbage
/// collection, thread pool, timers, signals and exceptions work in it. What it shares with its parent, and what it does not have, is in docs/fork-safety.md.
/// </remarks>
public static class Posix
{
    /// <summary>Forks this process.</summary>
    /// <returns>0 in the child; the child's process id in the parent, which must <see cref="Wait(int)"/> for it, or a zombie is left.</returns>
    /// <remarks>
    /// The child goes on where the call returns, with the caller's stack below it: what stands above the call runs in both processes. A child that has done its work calls
    /// <see cref="Exit"/>, so that it does not run into its parent's code, ProcessExit handlers and <c>finally</c> blocks (<see cref="Environment.Exit"/> would run the handlers).
    /// The parent gets no SIGCHLD.
    /// </remarks>
    /// <exception cref="UnsafeForkException">It is not safe now, and the policy is to throw.</exception>
    /// <exception cref="StartMethodNotSupportedException">This system or runtime cannot be forked, or the canary that was sent ahead of the first fork was not whole.</exception>
    /// <exception cref="StartMethodException">There is no child: a thread stood in the way until the deadline, or the system refused (EAGAIN, ENOMEM).</exception>
    /// <exception cref="InvalidOperationException">Called by a hook of <see cref="AtFork"/>.</exception>
    public static int Fork(ForkOptions? options = null)
    {
        ForkOutcome outcome = ForkOperation.Run(options, rehearse: RehearseExit);
        outcome.Pidfd?.Dispose();
        return outcome.ProcessId;
    }

    private static readonly RuntimeMethodHandle ExitItself = ((Action<int>)Exit).Method.MethodHandle;

    private static bool s_isExitRehearsed;

    // Else each child binds for itself what it does when it leaves (ForkOperation.Rehearse).
    private static void RehearseExit()
    {
        int times = s_isExitRehearsed ? 1 : ForkOperation.Rehearsals;
        s_isExitRehearsed = true;
        for (int i = 0; i < times; i++)
            OrderlyExit.Rehearse(runHandlers: false);
        RuntimeHelpers.PrepareMethod(ExitItself);
    }

    /// <summary>
    /// Forks this process with the child on a new pseudo-terminal: it leads a session of its own, the terminal controls it, and is its standard input, output and error.
    /// </summary>
    /// <param name="terminal">In the parent, the controlling side: what is written to it the child reads, and the other way round. Null in the child.</param>
    /// <param name="options">As for <see cref="Fork"/>.</param>
    /// <returns>0 in the child; the child's process id in the parent, as for <see cref="Fork"/>.</returns>
    /// <remarks>When the child's side is closed, reading from <paramref name="terminal"/> fails with an <see cref="IOException"/> (EIO): on Linux, this is the end of the stream.</remarks>
    /// <inheritdoc cref="Fork(ForkOptions?)" path="/exception"/>
    public static int ForkPty(out SafeFileHandle? terminal, ForkOptions? options = null)
    {
        if (ForkEngine.UnsupportedReason is { } reason)
            throw new StartMethodNotSupportedException($"forkpty: {reason}. StartMethod.Spawn works everywhere.");
        NativeError.ThrowIfFailed(Native.PtyOpenPair(out int controlling, out int own), "posix_openpt");
        using FileDescriptor childSide = new(own);
        SafeFileHandle parentSide = new(controlling, ownsHandle: true);
        ForkOutcome outcome;
        try
        {
            outcome = ForkOperation.Run(options, rehearse: RehearseExit);
        }
        catch
        {
            parentSide.Dispose();
            throw;
        }
        if (!outcome.IsChild)
        {
            outcome.Pidfd?.Dispose();
            terminal = parentSide;
            return outcome.ProcessId;
        }
        parentSide.Dispose();
        NativeError.ThrowIfFailed(Native.PtyBecomeTerminal(own), "making the pseudo-terminal the terminal of the forked child");
        childSide.SetHandleAsInvalid(); // the line above has closed it
        InheritedConsole.Forget();
        terminal = null;
        return 0;
    }

    /// <summary>Blocks until a child of <see cref="Fork"/> or <see cref="ForkPty"/> has ended, and reaps it. <c>waitpid(2)</c>, with __WALL.</summary>
    /// <returns>How it ended.</returns>
    /// <exception cref="StartMethodException">There is no such child of this process (ECHILD): somebody has waited for it already.</exception>
    public static ExitStatus Wait(int processId)
    {
        TryWait(processId, Timeout.InfiniteTimeSpan, out ExitStatus? status);
        return status!.Value;
    }

    /// <summary>Like <see cref="Wait(int)"/>, but no longer than a timeout; zero only looks.</summary>
    /// <returns>Whether it has ended; if so, it was reaped, and <paramref name="status"/> tells how it ended.</returns>
    /// <exception cref="StartMethodException">There is no such child of this process (ECHILD).</exception>
    public static bool TryWait(int processId, TimeSpan timeout, [NotNullWhen(true)] out ExitStatus? status)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(processId, 1);
        if (timeout != Timeout.InfiniteTimeSpan)
            ArgumentOutOfRangeException.ThrowIfLessThan(timeout, TimeSpan.Zero);
        if (Native.UnavailableReason is { } reason)
            throw new StartMethodNotSupportedException($"waitpid: {reason}");
        status = null;
        int opened = Native.ProcessOpen(processId);
        using FileDescriptor? pidfd = opened >= 0 ? new FileDescriptor(opened) : null;
        ExitInfo info = new() { Size = (uint)Unsafe.SizeOf<ExitInfo>() };
        long start = Stopwatch.GetTimestamp();
        // By its id, which is its own until it is reaped, which happens here only; asked before the wait: the end of a stranger could be awaited, but not reaped.
        while (NativeError.ThrowIfFailed(Native.ProcessReap(processId, -1, ref info), $"taking the exit status of process {processId}") == 0)
        {
            TimeSpan left = timeout - Stopwatch.GetElapsedTime(start);
            if (timeout >= TimeSpan.Zero && left <= TimeSpan.Zero)
                return false;
            int milliseconds = timeout < TimeSpan.Zero ? -1 : (int)Math.Min(Math.Ceiling(left.TotalMilliseconds), int.MaxValue);
            NativeError.ThrowIfFailed(Native.ProcessWait(processId, pidfd?.Number ?? -1, milliseconds), $"waiting for process {processId}");
        }
        if (info.Kind == ExitKind.Lost)
            throw new StartMethodException($"waiting for process {processId}: ECHILD: it is no child of this process, or somebody has waited for it already") { ErrorNumber = 10 };
        status = ExitStatus.From(info);
        return true;
    }

    /// <summary>
    /// Ends this process as a forked child should: what the console has buffered is written, and nothing else happens: no ProcessExit handlers, no finalizers, no
    /// <c>finally</c> blocks, which are the parent's. <c>_exit(2)</c>, Python's <c>os._exit</c>.
    /// </summary>
    /// <param name="code">The exit code, 0 to 255.</param>
    [DoesNotReturn]
    public static void Exit(int code)
    {
        while (true) // and not a throw behind it: a method that can only throw is not precompiled, and each child compiled it
            OrderlyExit.Leave(code, runHandlers: false);
    }
}
