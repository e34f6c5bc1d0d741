using System.Reflection;
using System.Runtime.CompilerServices;
using StartMethods.Channels;

namespace StartMethods.Forking;

/// <summary>
/// Everything that the managed side must forget in a forked child, in one list. Each line has a test that fails without it (ChildResetTests); what the
/// native side repairs (the runtime's thread map, process ids and pipes) is in native/src/child.c.
/// </summary>
internal static class ChildReset
{
    /// <summary>Runs in the child, on the thread that forked, before anything else does.</summary>
    internal static void Run()
    {
        ProcessId(null) = 0;                  // Environment.ProcessId: the parent's, cached
        RandomOfThisThread?.SetValue(null, null);   // Random.Shared: parent and child would draw the same numbers
        Reactor.ResetAfterFork();             // watches and epoll instance belong to the parent
    }

    [UnsafeAccessor(UnsafeAccessorKind.StaticField, Name = "s_processId")]
    private static extern ref int ProcessId([UnsafeAccessorType("System.Environment")] object? environment);

    // A thread-static field of a type that is not public: an unsafe accessor cannot return it by reference. Looked up in the parent.
    private static readonly FieldInfo? RandomOfThisThread =
        typeof(Random).GetNestedType("ThreadSafeRandom", BindingFlags.NonPublic)?.GetField("t_random", BindingFlags.Static | BindingFlags.NonPublic);
}
