using System.Runtime.InteropServices;
using StartMethods.Diagnostics;
using StartMethods.Interop;
using StartMethods.Threads;

namespace StartMethods.Forking;

/// <summary>
/// One fork as everything above the engine makes it: is it safe, would a child be whole, <c>before</c> hooks, the console flushed, the engine, <c>after</c> hooks. One at a time, so that the hooks of two
/// forks never interleave. See docs/architecture.md, "One fork".
/// </summary>
internal static class ForkOperation
{
    private static readonly Lock Gate = new();

    [ThreadStatic]
    private static bool t_isForking;

    private static bool s_isRehearsed;

    /// <summary>The AppContext switch with which an application says that it may own locks of the C library of which nobody else knows: then they are searched for at each fork.</summary>
    internal const string SearchSwitch = "StartMethods.SearchLocksAtEachFork";

    /// <summary>How the engine forks for an application.</summary>
    internal static ForkFlags Usual { get; } = AppContext.TryGetSwitch(SearchSwitch, out bool isSet) && isSet ? ForkFlags.Search : ForkFlags.LateRuntime;

    /// <summary>Forks this process. Returns twice.</summary>
    /// <param name="options">What the user asked for.</param>
    /// <param name="kept">Further sockets that the child keeps: the library's own.</param>
    /// <param name="flags">Further flags of the engine.</param>
    /// <param name="rehearse">Goes through more of the way that a child will go. Nobody else forks meanwhile: a child would find what it locks, a console's writer say, locked for ever.</param>
    /// <exception cref="StartMethodNotSupportedException">This process cannot be forked at all.</exception>
    /// <exception cref="UnsafeForkException">It is not safe, and the policy is to throw.</exception>
    /// <exception cref="StartMethodException">There is no child; the message names the thread that stood in the way, or the system's error.</exception>
    internal static ForkOutcome Run(ForkOptions? options, IReadOnlyList<SafeHandle>? kept = null, ForkFlags flags = ForkFlags.None, Action? rehearse = null)
    {
        options ??= ForkOptions.Defaults;
        if (ForkEngine.UnsupportedReason is { } reason)
            throw new StartMethodNotSupportedException($"fork: {reason}. StartMethod.Spawn works everywhere.");
        if (t_isForking)
            throw new InvalidOperationException("A hook of AtFork cannot fork: the fork that it belongs to is not over.");
        ForkRequest request = new()
        {
            Deadline = options.Deadline,
            Flags = flags | Usual | (options.Threads == ForkThreads.All ? ForkFlags.ReviveAll : ForkFlags.None),
            KeptSockets = [.. options.KeptSockets, .. kept ?? []],
        };
        int process = Native.ProcessId();
        lock (Gate)
        {
            if (Native.ProcessId() != process)
                throw new StartMethodException("fork: another thread has forked this process meanwhile, and this is the child, where this thread lives on");
            // Neither a canary nor a hook comes before a fork that is refused, nor the second that huge pages take.
            ForkFlags judgement = ForkSafety.Check(options.Policy, maySeeLater: ForkCanary.IsDecided && AtFork.Count == 0 && !options.HugePages);
            Rehearse();
            rehearse?.Invoke();
            ForkCanary.Decide(request);
            if (options.HugePages)
                _ = Native.MemoryCollapse();
            ForkOutcome outcome = WithHooks(request with { Flags = request.Flags | judgement });
            if (!outcome.NeedsLook)
                return outcome;
            _ = ForkSafety.Check(options.Policy, maySeeLater: false);
            return WithHooks(request);
        }
    }

    /// <summary>How often a child's way is gone in the process that will be forked: the runtime binds a call in precompiled code when it is made for the second time.</summary>
    internal const int Rehearsals = 2;

    // What a child does before anything of its own is bound and compiled here: each child did it for itself, with all the page faults of the runtime's loader and compiler. And again before
    // each fork, which takes some microseconds: when the runtime begins to count a method's calls, and when it gives up, the method's entry leads to the loader once more, until thirty calls have
    // been counted. What only children call was never called here again, and each child took that way for it, woke the thread that optimizes code and was optimized: 150 page faults instead of 50.
    private static void Rehearse()
    {
        int times = s_isRehearsed ? 1 : Rehearsals;
        if (!s_isRehearsed)
            LoadedConsole.Watch();
        s_isRehearsed = true;
        for (int i = 0; i < times; i++)
        {
            _ = ForkEngine.Fork(new ForkRequest { IsRehearsal = true });
            AtFork.RunAfterInChild([]);
        }
    }

    private static ForkOutcome WithHooks(ForkRequest request)
    {
        t_isForking = true;
        try
        {
            return BetweenHooks(request);
        }
        finally
        {
            t_isForking = false;
        }
    }

    private static ForkOutcome BetweenHooks(ForkRequest request)
    {
        AtFork.Hook[] hooks = AtFork.RunBefore();
        ForkOutcome outcome;
        try
        {
            InheritedConsole.Flush();
            outcome = ForkEngine.Fork(request);
        }
        catch
        {
            AtFork.RunAfterInParent(hooks);
            throw;
        }
        if (outcome.IsChild)
        {
            AtFork.RunAfterInChild(hooks);
        }
        else
        {
            AtFork.RunAfterInParent(hooks);
            if (!outcome.NeedsLook && LibraryEventSource.Log.IsEnabled())
                LibraryEventSource.Log.Forked(outcome.ProcessId, outcome.Measures.Threads, (long)outcome.Measures.Parked.TotalMicroseconds, outcome.Measures.Owners);
        }
        return outcome;
    }
}
