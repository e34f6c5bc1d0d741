using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Bootstrap;

/// <summary>
/// The thread on which a child listens to its parent. A process that will be forked starts it ahead and lets it wait: the fork gives it to each child, which
/// then need not have the runtime start one.
/// </summary>
internal sealed class ListenerThread
{
    internal const string Name = "StartMethods Channel";
    private static ListenerThread? s_parked;

    // A word of its own, for a bare wait: being woken by the framework's events took five switches between the two threads, a quarter of a spare child's time. It is
    // never freed: a process has a few dozen at most.
    private readonly nint _gate;
    private readonly FileDescriptor? _timer;
    private readonly Thread _thread;
    private Action? _listen;

    private ListenerThread(Action? listen, FileDescriptor? timer = null)
    {
        (_listen, _timer) = (listen, timer);
        if (listen is null && timer is null)
        {
            _gate = Marshal.AllocHGlobal(sizeof(int));
            Marshal.WriteInt32(_gate, 0);
        }
        _thread = new Thread(Run, maxStackSize: 256 * 1024) { Name = Name, IsBackground = true };
        _thread.UnsafeStart();
    }

    /// <summary>Lets a thread wait for the next <see cref="Start"/>, in this process or in each child that is forked from it.</summary>
    internal static void Park() => s_parked ??= new ListenerThread(null);

    /// <summary>
    /// The same in this process only, and it is not woken by the start but a millisecond later: most bodies have ended by then. To wake it, and to have it wake up
    /// at each frame that the parent takes, was a fifth of what a spare child needs for its answer.
    /// </summary>
    internal static void ParkForLater()
    {
        int timer = Native.TimerCreate(Never);
        if (timer < 0 || s_parked is not null)
            Park();
        else
            s_parked = new ListenerThread(null, new FileDescriptor(timer));
    }

    private const int Never = -1, Delay = 1;

    /// <summary>Runs it on a thread of its own: on the one that waits, or else on a new one.</summary>
    internal static ListenerThread Start(Action listen)
    {
        if (Interlocked.Exchange(ref s_parked, null) is not { } parked)
            return new ListenerThread(listen);
        parked._listen = listen;
        if (parked._timer is null)
            Native.GateOpen(parked._gate);
        else
            _ = Native.TimerArm(parked._timer.Number, Delay);
        return parked;
    }

    /// <summary>Somebody waits for what will be heard: not later, but now.</summary>
    internal void Hurry()
    {
        if (_timer is { IsClosed: false })
            _ = Native.TimerArm(_timer.Number, 0);
    }

    /// <summary>Waits until it has ended.</summary>
    internal void Join() => _thread.Join();

    private void Run()
    {
        if (_gate != 0)
            Native.GateWait(_gate);
        if (_timer is not null)
            Native.TimerWait(_timer.Number);
        _listen!();
    }
}
