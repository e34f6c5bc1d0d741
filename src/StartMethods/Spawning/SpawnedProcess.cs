using System.Runtime.InteropServices;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods;

/// <summary>Another program, started by <see cref="Start(SpawnInfo)"/>: <c>posix_spawn(3)</c>, Python's <c>subprocess.Popen</c>.</summary>
/// <remarks>
/// Waiting and signalling go by pidfd, so a signal never hits a recycled process id, and no thread waits. A program whose object is dropped without
/// disposing runs on; it is reaped when it ends. Members may be used from several threads; each stream by one reader or writer at a time.
/// </remarks>
public sealed partial class SpawnedProcess : IAsyncDisposable
{
    private readonly TimeSpan _stopGrace;

    internal SpawnedProcess(ProcessLifetime lifetime, Stream? input = null, Stream? output = null, Stream? error = null, TimeSpan? stopGrace = null)
    {
        Lifetime = lifetime;
        StandardInput = input;
        StandardOutput = output;
        StandardError = error;
        _stopGrace = stopGrace ?? TimeSpan.FromSeconds(5);
    }

    /// <summary>The process id. For people and logs: by the time it is used, it may belong to another process.</summary>
    public int Id => Lifetime.Id;

    /// <summary>Writes to the program's standard input, where that is <see cref="SpawnStdio.Pipe"/>; dispose it to end the input.</summary>
    public Stream? StandardInput { get; }

    /// <summary>Reads the program's standard output, where that is <see cref="SpawnStdio.Pipe"/>.</summary>
    public Stream? StandardOutput { get; }

    /// <summary>Reads the program's standard error, where that is <see cref="SpawnStdio.Pipe"/>.</summary>
    public Stream? StandardError { get; }

    /// <summary>Whether the program has ended.</summary>
    public bool HasExited => Lifetime.HasExited;

    /// <summary>How it ended; null while it runs.</summary>
    public ExitStatus? ExitStatus => Lifetime.Status;

    /// <summary>What it used; null while it runs, and where the system does not tell (the portable path; somebody else reaped it).</summary>
    public ResourceUsage? Usage => Lifetime.Usage;

    internal ProcessLifetime Lifetime { get; }

    /// <summary>Starts a program. Returns once exec has succeeded.</summary>
    /// <exception cref="SpawnException">It could not be started; names the step, the culprit and the error. Nothing is left behind.</exception>
    /// <exception cref="ArgumentException">The description is wrong: a NUL character, a number that is no signal, a descriptor given twice …</exception>
    public static SpawnedProcess Start(SpawnInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        return Start(info, new StandardStreams(info));
    }

    /// <summary>Starts a program with these arguments, and everything else as in this process.</summary>
    /// <inheritdoc cref="Start(SpawnInfo)"/>
    public static SpawnedProcess Start(string fileName, params IEnumerable<string> arguments) => Start(new SpawnInfo(fileName, arguments));

    private static SpawnedProcess Start(SpawnInfo info, StandardStreams streams)
    {
        StartedProgram started = Native.IsPortable ? PortableStart.Start(info, streams) : NativeStart.Start(info, streams);
        return new SpawnedProcess(started.Lifetime, started.Input, started.Output, started.Error, info.StopGrace);
    }

    /// <summary>Completes when the program has ended: with its own end, whoever still holds its pipes.</summary>
    /// <exception cref="OperationCanceledException">The wait was cancelled; the program is not touched.</exception>
    public Task<ExitStatus> WaitForExitAsync(CancellationToken cancellationToken = default) => Lifetime.Exited.WaitAsync(cancellationToken);

    /// <summary>Blocks until the program has ended, and returns how.</summary>
    public ExitStatus WaitForExit()
    {
        Lifetime.WaitForExit(Timeout.InfiniteTimeSpan);
        return Lifetime.Exited.GetAwaiter().GetResult();
    }

    /// <summary>Blocks until the program has ended or the time is over.</summary>
    /// <returns>Whether it has ended.</returns>
    public bool WaitForExit(TimeSpan timeout)
    {
        if (timeout != Timeout.InfiniteTimeSpan)
            ArgumentOutOfRangeException.ThrowIfLessThan(timeout, TimeSpan.Zero);
        return Lifetime.WaitForExit(timeout);
    }

    /// <summary>Asks the program to end: SIGTERM (on Windows it is killed). Does nothing once it has ended.</summary>
    public void Terminate() => Lifetime.Signal(SignalNumber.Terminate);

    /// <summary>Kills the program: SIGKILL. Does nothing once it has ended.</summary>
    public void Kill() => Lifetime.Signal(SignalNumber.Kill);

    /// <summary>Sends a signal; raw numbers are allowed: <c>(PosixSignal)10</c>. Does nothing once the program has ended.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a signal.</exception>
    public void Signal(PosixSignal signal) => Lifetime.Signal(SignalNumber.Of(signal));

    /// <summary>Sends a signal to every process of the group that the program leads (<see cref="SpawnInfo.ProcessGroup"/> 0 or <see cref="SpawnInfo.NewSession"/>).</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a signal.</exception>
    /// <exception cref="StartMethodException">The program leads no group.</exception>
    public void SignalGroup(PosixSignal signal) => Lifetime.Signal(SignalNumber.Of(signal), SignalScope.Group);
}
