using System.Diagnostics;
using System.Runtime.CompilerServices;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>A child of this process that the native library waits for: the reaping that pidfd and pid lifetimes share.</summary>
internal abstract class ChildLifetime(int id) : ProcessLifetime
{
    private readonly Lock _reaping = new();
    private bool _reaped;

    internal override int Id => id;

    /// <summary>The pidfd for as long as the process was not reaped, else −1.</summary>
    protected abstract int Descriptor { get; }

    /// <summary>Called once, under the lock, when the process was reaped.</summary>
    protected abstract void Release();

    internal override bool Signal(int signal, SignalScope scope)
    {
        // Under the lock nobody reaps, so neither the pid nor the descriptor can become somebody else's.
        lock (_reaping)
        {
            if (_reaped)
                return false;
            int result = Native.ProcessSignal(id, Descriptor, signal, scope);
            const int noSuchProcess = -3;
            if (result == noSuchProcess)
                return false;
            NativeError.ThrowIfFailed(result, $"{SignalNumber.Name(signal)} to process {id}{(scope == SignalScope.Group ? "'s group" : "")}");
            return true;
        }
    }

    protected override bool Poll()
    {
        ExitInfo info = new() { Size = (uint)Unsafe.SizeOf<ExitInfo>() };
        int result;
        lock (_reaping)
        {
            if (_reaped)
                return true;
            result = Native.ProcessReap(id, Descriptor, ref info);
            if (result == 0)
                return false;
            _reaped = true;
        }
        // Outside of the lock: who waits for the end takes locks of his own here, under which others send signals; and releasing waits for a callback that may be
        // waiting for the lock. An error (a system call filter without waitid) is final too: asking again and again would not tell more.
        Complete(result < 0 ? ExitStatus.Unknown : ExitStatus.From(info), ResourceUsage.From(info));
        Release();
        return true;
    }

    /// <summary>Blocks until the process has ended or the time is over, and reaps it.</summary>
    protected bool WaitOnDescriptor(int descriptor, TimeSpan timeout)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            int milliseconds = -1;
            if (timeout >= TimeSpan.Zero)
            {
                TimeSpan left = timeout - Stopwatch.GetElapsedTime(start);
                milliseconds = left <= TimeSpan.Zero ? 0 : (int)Math.Min(Math.Ceiling(left.TotalMilliseconds), int.MaxValue);
            }
            int ended = NativeError.ThrowIfFailed(Native.ProcessWait(id, descriptor, milliseconds), $"waiting for process {id}");
            if (ended > 0)
                return Poll();
            if (milliseconds == 0)
                return HasExited;
        }
    }
}
