using System.ComponentModel;
using System.Diagnostics;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>A process that <see cref="Process"/> started and waits for: the portable path.</summary>
internal sealed class PortableLifetime : ProcessLifetime
{
    private readonly Process _process;
    private readonly Lock _gate = new();
    private int _lastSignal;

    internal PortableLifetime(Process process)
    {
        _process = process;
        Id = process.Id;
        // Not within the event: it is raised under a lock of the process object, which its HasExited takes too; here that is asked under the gate.
        process.Exited += (_, _) => ThreadPool.UnsafeQueueUserWorkItem(static lifetime => lifetime.Poll(), this, preferLocal: false);
        process.EnableRaisingEvents = true;
    }

    internal override int Id { get; }

    internal override bool Signal(int signal, SignalScope scope)
    {
        lock (_gate)
        {
            if (Exited.IsCompleted || _process.HasExited)
                return false;
            Volatile.Write(ref _lastSignal, signal);
            if (scope == SignalScope.Process && (signal == SignalNumber.Kill || (OperatingSystem.IsWindows() && signal == SignalNumber.Terminate)))
                return Kill();
            if (OperatingSystem.IsWindows())
                throw new StartMethodException($"{SignalNumber.Name(signal)} cannot be sent on Windows: only Terminate and Kill, which end the process.");
            return Native.LibcKill(scope == SignalScope.Group ? -Id : Id, signal) == 0;
        }
    }

    internal override bool WaitForExit(TimeSpan timeout) => Exited.Wait(timeout);

    protected override bool Poll()
    {
        ExitStatus status;
        ResourceUsage? usage;
        lock (_gate)
        {
            if (Exited.IsCompleted)
                return true;
            if (!_process.HasExited)
                return false;
            int code = _process.ExitCode;
            int signal = Volatile.Read(ref _lastSignal);
            // The system folds a signal into 128 + n: unfolded only where we sent that very signal.
            bool signalled = !OperatingSystem.IsWindows() && signal > 0 && code == 128 + signal;
            (status, usage) = (signalled ? ExitStatus.FromSignal(signal) : ExitStatus.FromCode(code), Measure());
        }
        // Not under the lock: what follows from the end takes the locks of its owners, who hold them when they send a signal.
        Complete(status, usage);
        return true;
    }

    private bool Kill()
    {
        try
        {
            _process.Kill();
            return true;
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            return !_process.HasExited ? throw new StartMethodException($"process {Id} cannot be killed: {e.Message}", e) : false;
        }
    }

    private ResourceUsage? Measure()
    {
        try
        {
            return new ResourceUsage { UserTime = _process.UserProcessorTime, SystemTime = _process.PrivilegedProcessorTime };
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or PlatformNotSupportedException)
        {
            return null; // Unix forgets a process's times with the process
        }
    }
}
