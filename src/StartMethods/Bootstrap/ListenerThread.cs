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
    // never freed: a process has two or three.
    private readonly nint _gate;
    private readonly Thread _thread;
    private Action? _listen;

    private ListenerThread(Action? listen)
    {
        _listen = listen;
        if (listen is null)
        {
            _gate = Marshal.AllocHGlobal(sizeof(int));
            Marshal.WriteInt32(_gate, 0);
        }
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
        Native.GateOpen(parked._gate);
        return parked;
    }

    /// <summary>Waits until it has ended.</summary>
    internal void Join() => _thread.Join();

    private void Run()
    {
        if (_gate != 0)
            Native.GateWait(_gate);
        _listen!();
    }
}
