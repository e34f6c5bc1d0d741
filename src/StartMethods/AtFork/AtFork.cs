using System.Runtime.CompilerServices;
namespace StartMethods;

/// <summary>
/// Hooks around every fork that this library makes (<see cref="Posix.Fork"/>, <see cref="StartMethod.Fork"/> and what builds on them): to hold a lock over the
/// fork, to close what the child must not have, to draw new random numbers there. <c>pthread_atfork(3)</c>, Python's <c>os.register_at_fork</c>.
/// </summary>
/// <remarks>
/// All hooks run on the thread that forks, one fork at a time. <c>before</c> hooks run in the reverse order of registration, the others in the order of
/// registration: what was registered first is the outermost. Children inherit the registrations, once each, however deep they are nested. A hook may register and dispose
/// hooks, which counts from the next fork on; it may not fork. A fork server runs the hooks that its preload has registered, in the server and in each child, as Python's does; those of the
/// application are not there. Starts of other programs and <see cref="StartMethod.Spawn"/> run no hooks.
/// </remarks>
public static class AtFork
{
    private static Hook[] s_hooks = [];

    /// <summary>Adds hooks, until the returned object is disposed.</summary>
    /// <param name="before">
    /// Runs before the fork, after its safety was checked. If it throws, there is no fork: the hooks whose <c>before</c> has already run are given their
    /// <paramref name="afterInParent"/>, and the exception surfaces.
    /// </param>
    /// <param name="afterInParent">Runs in the parent after the fork, and after a fork that failed.</param>
    /// <param name="afterInChild">Runs in the child, first of all managed code, when the child is whole.</param>
    /// <remarks>
    /// The fork has happened when <paramref name="afterInParent"/> and <paramref name="afterInChild"/> run, so their exceptions do not surface, as in Python: they are written to
    /// standard error, raise the event <c>HookFailed</c> of the EventSource "StartMethods", and the other hooks still run.
    /// </remarks>
    /// <exception cref="ArgumentException">All three are null.</exception>
    public static IDisposable Register(Action? before = null, Action? afterInParent = null, Action? afterInChild = null)
    {
        if (before is null && afterInParent is null && afterInChild is null)
            throw new ArgumentException("At least one of before, afterInParent and afterInChild must be given.", nameof(before));
        Hook hook = new(before, afterInParent, afterInChild);
        Change(hooks => [.. hooks, hook]);
        return hook;
    }

    // Without a lock: a thread that does not live on in a child could hold it there for ever.
    private static void Change(Func<Hook[], Hook[]> change)
    {
        Hook[] before;
        do
            before = Volatile.Read(ref s_hooks);
        while (Interlocked.CompareExchange(ref s_hooks, change(before), before) != before);
    }

    /// <summary>How many are registered.</summary>
    internal static int Count => Volatile.Read(ref s_hooks).Length;

    /// <summary>Runs the <c>before</c> hooks. What it returns is what the two others belong to, whatever is registered meanwhile.</summary>
    internal static Hook[] RunBefore()
    {
        Hook[] hooks = Volatile.Read(ref s_hooks);
        for (int i = hooks.Length - 1; i >= 0; i--)
        {
            try
            {
                hooks[i].Before?.Invoke();
            }
            catch
            {
                RunAfterInParent(hooks.AsSpan(i + 1));
                throw;
            }
        }
        return hooks;
    }

    internal static void RunAfterInParent(ReadOnlySpan<Hook> hooks)
    {
        foreach (Hook hook in hooks)
            Run(hook.AfterInParent, "afterInParent");
    }

    internal static void RunAfterInChild(ReadOnlySpan<Hook> hooks)
    {
        foreach (Hook hook in hooks)
            Run(hook.AfterInChild, "afterInChild");
    }

    private static void Run(Action? action, string name)
    {
        try
        {
            action?.Invoke();
        }
        catch (Exception e)
        {
            Report(name, e);
        }
    }

    // Apart: what a method names is loaded with it, and a console that is loaded is flushed and renewed in each child.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Report(string name, Exception e)
    {
        Diagnostics.LibraryEventSource.Log.HookFailed(name, e.ToString());
        Console.Error.WriteLine($"StartMethods: an {name} hook of AtFork threw, the fork goes on: {e}");
    }

    /// <summary>One registration.</summary>
    internal sealed class Hook(Action? before, Action? afterInParent, Action? afterInChild) : IDisposable
    {
        internal Action? Before => before;

        internal Action? AfterInParent => afterInParent;

        internal Action? AfterInChild => afterInChild;

        public void Dispose() => Change(hooks => [.. hooks.Where(hook => hook != this)]);
    }
}
