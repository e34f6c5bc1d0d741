using System.Runtime.CompilerServices;
using StartMethods.Interop;

namespace StartMethods.Forking;

/// <summary>
/// What the canary of an application tries. It is a copy of a process that is not ours, so it meddles in nothing: no finalizer, timer or work item of the application is to run in it,
/// and its collection is of the youngest generation, whatever the size of the heap. What needs a thread that lived before the fork has one of its own.
/// </summary>
internal sealed class CanarySteps : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(4);
    private readonly ManualResetEventSlim _isReady = new(false, spinCount: 0), _called = new(false, spinCount: 0), _answered = new(false, spinCount: 0);
    private readonly Thread _partner;
    private Action? _call;
    private bool _isRunning, _stop;

    internal CanarySteps()
    {
        _partner = new Thread(BePartner, maxStackSize: 256 * 1024) { Name = "StartMethods Canary", IsBackground = true };
        _partner.UnsafeStart();
        _isReady.Wait();
    }

    /// <summary>The native id of the thread that must live on.</summary>
    internal int PartnerId { get; private set; }

    internal IReadOnlyList<CanaryStep> All() =>
    [
        new("process id", static () => Environment.ProcessId == Native.ProcessId()),
        new("allocation", Allocates),
        new("exception", Throws),
        new("just-in-time compiler", static () => Compiled(20) == 21),
        new("thread that lived before", () => OnPartner(static () => { })),
        new("null reference on it", FaultsOnPartner),
        new("collection beside a loop on it", CollectsBesideALoop),
        new("new thread", RunsAThread),
    ];

    /// <summary>Ends the thread, in the process that forked.</summary>
    public void Dispose()
    {
        _call = null;
        _called.Set();
        _partner.Join();
        _isReady.Dispose();
        _called.Dispose();
        _answered.Dispose();
    }

    private void BePartner()
    {
        PartnerId = Native.ThreadId();
        _isReady.Set();
        while (true)
        {
            _called.Wait();
            _called.Reset();
            if (_call is not { } call)
                return;
            call();
            _answered.Set();
        }
    }

    private void Call(Action call)
    {
        _answered.Reset();
        _call = call;
        _called.Set();
    }

    private bool OnPartner(Action call)
    {
        Call(call);
        return _answered.Wait(Limit);
    }

    private static bool Allocates()
    {
        long sum = 0;
        for (int i = 0; i < 256; i++)
            sum += new byte[4096].Length;
        return sum == 256 * 4096;
    }

    /// <summary>Whether an exception finds its handler.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool Throws()
    {
        try
        {
            throw new InvalidOperationException();
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }

    // Never compiled ahead of time.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static int Compiled(int number) => number + 1;

    private bool FaultsOnPartner()
    {
        bool caught = false;
        return OnPartner(() =>
        {
            try
            {
                _ = ((string)null!).Length;
            }
            catch (NullReferenceException)
            {
                caught = true;
            }
        }) && caught;
    }

    // A collection must stop a loop that never calls anything: the runtime signals its thread, and finds it by an id that the fork has changed.
    private bool CollectsBesideALoop()
    {
        Call(Loop);
        SpinWait.SpinUntil(() => Volatile.Read(ref _isRunning), Limit);
        GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        Volatile.Write(ref _stop, true);
        return _answered.Wait(Limit);
    }

    private void Loop()
    {
        Volatile.Write(ref _isRunning, true);
        while (!Volatile.Read(ref _stop))
        {
        }
    }

    private static bool RunsAThread()
    {
        bool ran = false;
        Thread thread = new(() => ran = true, maxStackSize: 256 * 1024) { IsBackground = true };
        thread.Start();
        return thread.Join(Limit) && ran;
    }
}
