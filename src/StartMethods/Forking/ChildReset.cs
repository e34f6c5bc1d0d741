using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Forking;

/// <summary>
/// Everything that the managed side must forget in a forked child, in one list. Each line has a test that fails without it (rows 6, 9 and 13 of docs/fork-safety.md); what the
/// native side repairs (the runtime's thread map, process ids and pipes) is in native/src/child.c.
/// </summary>
internal static class ChildReset
{
    /// <summary>Runs in the child, on the thread that forked, before anything else does.</summary>
    /// <param name="isRehearsal">Whether this is the process that will be forked: nothing in it changes but what is asked for again.</param>
    internal static void Run(bool isRehearsal = false)
    {
        ProcessId(null) = 0;                  // Environment.ProcessId: the parent's, cached
        ForgetRandom?.Invoke();               // Random.Shared: parent and child would draw the same numbers,
        ForgetRandomOfOthers();               // on revived threads too
        Reactor.ResetAfterFork(isRehearsal);  // watches and epoll instance belong to the parent
    }

    [UnsafeAccessor(UnsafeAccessorKind.StaticField, Name = "s_processId")]
    private static extern ref int ProcessId([UnsafeAccessorType("System.Environment")] object? environment);

    /// <summary>Makes it all ready, in the process that will be forked: what is compiled there need not be compiled in each child.</summary>
    internal static void Prepare()
    {
        ForgetRandom?.Invoke();
        _ = ProcessId(null);
    }

    /// <summary>Once the engine is set up: learns where the other threads keep what this one cannot reach.</summary>
    internal static void Learn()
    {
        _ = Random.Shared.Next(); // so that there is something to find
        if (StateOfRandom?.GetValue(null) is { } state)
            s_knowsStateOfRandom = Native.ForkLearnThreadStatic(state) == 0;
        _ = Native.ForkClearThreadStatic();
    }

    private static bool s_knowsStateOfRandom;

    private static void ForgetRandomOfOthers()
    {
        if (s_knowsStateOfRandom)
            _ = Native.ForkClearThreadStatic();
    }

    // The thread-static generator behind Random.Shared.
    private static FieldInfo? StateOfRandom => typeof(Random).GetNestedType("ThreadSafeRandom", BindingFlags.NonPublic)?.GetField("t_random", BindingFlags.Static | BindingFlags.NonPublic);

    private static readonly Action? ForgetRandom = MakeForgetRandom();

    // A thread-static field of a type that is not public: an unsafe accessor cannot return it by reference, and reflection takes some fifty page faults for it in
    // each child. So the one assignment is compiled here.
    private static Action? MakeForgetRandom()
    {
        if (StateOfRandom is not { } ofThisThread)
            return null;
        DynamicMethod method = new("ForgetRandom", null, null, typeof(Random).Module, skipVisibility: true);
        ILGenerator code = method.GetILGenerator();
        code.Emit(OpCodes.Ldnull);
        code.Emit(OpCodes.Stsfld, ofThisThread);
        code.Emit(OpCodes.Ret);
        return method.CreateDelegate<Action>();
    }
}
