using System.Runtime.InteropServices;
using StartMethods.Diagnostics;
using StartMethods.Interop;
using StartMethods.Threads;

namespace StartMethods.Channels;

/// <summary>
/// The one thread that waits: on every pidfd, pipe and channel of the library, with epoll. It runs no user code; a callback completes a task
/// or queues work and returns.
/// </summary>
internal sealed class Reactor
{
    private const int Batch = 64;
    private static readonly Lock Creation = new();
    private static Reactor? s_shared;

    private readonly FileDescriptor _epoll;
    private readonly int _processId;
    private readonly Dictionary<ulong, ReactorWatch> _watches = [];
    private readonly object _gate = new(); // a monitor, not a Lock: Dispose waits on it for the end of a running callback
    private ulong _lastKey;
    private ReactorWatch? _running;
    private Thread? _thread;
    private volatile bool _retired;

    private Reactor()
    {
        _epoll = new FileDescriptor(NativeError.ThrowIfFailed(Native.ReactorCreate(), "epoll_create1"));
        _processId = Native.ProcessId();
    }

    /// <summary>The reactor of this process; its thread is created with the first watch.</summary>
    internal static Reactor Shared
    {
        get
        {
            Reactor? shared = Volatile.Read(ref s_shared);
            if (shared is not null)
                return shared;
            lock (Creation)
                return s_shared ??= new Reactor();
        }
    }

    /// <summary>A callback threw. The reactor goes on; the exception is a bug of the library that must be seen: where nobody listens, on standard error. Raised on the reactor thread.</summary>
    internal static event Action<Exception>? CallbackFailed;

    /// <summary>How many descriptors are being watched.</summary>
    internal int WatchCount
    {
        get { lock (_gate) return _watches.Count; }
    }

    /// <summary>
    /// Calls <paramref name="ready"/> on the reactor thread for as long as the descriptor is ready (level-triggered), until the watch is disposed.
    /// The watch holds a reference to the handle, so the number cannot be closed and reused under it. One watch a descriptor.
    /// </summary>
    internal ReactorWatch Watch(SafeHandle descriptor, Action ready, ReactorInterest interest = ReactorInterest.Read)
    {
        bool referenced = false;
        descriptor.DangerousAddRef(ref referenced);
        ReactorWatch watch;
        try
        {
            lock (_gate)
            {
                EnsureThread();
                watch = new ReactorWatch(this, descriptor, ready, interest, ++_lastKey);
                _watches.Add(watch.Key, watch);
                int result = Native.ReactorAdd(_epoll.Number, watch.Descriptor, interest, watch.Key);
                if (result < 0)
                    _watches.Remove(watch.Key);
                NativeError.ThrowIfFailed(result, "epoll_ctl(EPOLL_CTL_ADD)");
            }
        }
        catch
        {
            descriptor.DangerousRelease();
            throw;
        }
        return watch;
    }

    /// <summary>
    /// For a forked child: forgets the parent's watches and its epoll instance, which may still be shared with the parent and is therefore closed, never
    /// changed. The next <see cref="Shared"/> is a new reactor. A revived copy of the old thread ends by itself when it notices.
    /// </summary>
    /// <param name="isRehearsal">Whether this is the process that will be forked, which keeps its own.</param>
    internal static void ResetAfterFork(bool isRehearsal = false)
    {
        Reactor? inherited = isRehearsal ? Volatile.Read(ref s_shared) : Interlocked.Exchange(ref s_shared, null);
        if (inherited is null || isRehearsal)
            return;
        inherited._retired = true;
        inherited._epoll.Dispose();
    }

    internal void Modify(ReactorWatch watch, ReactorInterest interest)
    {
        lock (_gate)
        {
            if (_watches.ContainsKey(watch.Key) && !_retired)
                NativeError.ThrowIfFailed(Native.ReactorModify(_epoll.Number, watch.Descriptor, interest, watch.Key), "epoll_ctl(EPOLL_CTL_MOD)");
        }
    }

    internal void Remove(ReactorWatch watch)
    {
        if (_retired)
            return; // a watch from before the fork: its epoll instance is the parent's
        lock (_gate)
        {
            if (_watches.Remove(watch.Key))
            {
                _ = Native.ReactorRemove(_epoll.Number, watch.Descriptor);
                watch.Handle.DangerousRelease();
            }
            if (Thread.CurrentThread != _thread)
                while (_running == watch && !_retired)
                    Monitor.Wait(_gate);
        }
    }

    private void EnsureThread()
    {
        if (_thread is not null)
            return;
        // The caller's ExecutionContext (async locals, impersonation) must not live on in a thread that serves everybody.
        _thread = new Thread(Run, maxStackSize: 256 * 1024) { Name = "StartMethods Reactor", IsBackground = true };
        _thread.UnsafeStart();
    }

    private unsafe void Run()
    {
        ReactorEvent* events = stackalloc ReactorEvent[Batch];
        ForkPause pause = ForkPause.Current;
        while (!_retired)
        {
            int count = Native.ReactorWait(_epoll.Number, _processId, events, Batch);
            if (count < 0)
                return; // EOWNERDEAD: a forked copy of this thread; EBADF: the epoll was closed by ResetAfterFork
            pause.BeginWork();
            for (int i = 0; i < count && !_retired; i++)
                Dispatch(events[i].Key);
            pause.EndWork();
        }
    }

    private void Dispatch(ulong key)
    {
        ReactorWatch? watch;
        lock (_gate)
        {
            if (!_watches.TryGetValue(key, out watch))
                return; // disposed while its event was on the way
            _running = watch;
        }
        try
        {
            watch.Ready();
        }
        catch (Exception e)
        {
            LibraryEventSource.Log.CallbackFailed(e.ToString());
            if (CallbackFailed is { } listener)
                listener(e);
            else
                Console.Error.WriteLine($"StartMethods: a callback of the library's own thread threw, which is a bug of the library; it goes on: {e}");
        }
        lock (_gate)
        {
            _running = null;
            Monitor.PulseAll(_gate);
        }
    }
}
