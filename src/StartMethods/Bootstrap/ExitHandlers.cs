using System.Diagnostics.Tracing;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;

namespace StartMethods.Bootstrap;

/// <summary>What a process has asked to be told at its end: handlers of ProcessExit, of the unloading of its assemblies, and event listeners.</summary>
internal static class ExitHandlers
{
    private static bool s_isReady;

    /// <summary>Calls them, as the runtime itself does at its end; <c>Environment.Exit</c>, which gets there too, also waits for finalizers.</summary>
    /// <param name="isRehearsal">Whether only to look if there are any.</param>
    internal static void Run(bool isRehearsal)
    {
        if ((!s_isReady || Any()) && !isRehearsal)
            OfRuntime.Run?.Invoke();
    }

    /// <summary>For a process that will be forked: its children find out at once whether there are any. Without this each of them asks the runtime, which takes longer than the rest of its end.</summary>
    internal static void Prepare()
    {
        try
        {
            _ = OfRuntime.Run;
            _ = Any();
            s_isReady = true;
        }
        catch (Exception e) when (e is MissingFieldException or TypeLoadException)
        {
            // A framework that keeps them elsewhere: it is asked.
        }
    }

    /// <summary>In a child: drops those of ProcessExit that the process it was forked from had.</summary>
    /// <param name="isRehearsal">Whether this is that process itself, which keeps them.</param>
    internal static void Forget(bool isRehearsal)
    {
        if (!s_isReady)
            return;
        ref EventHandler? handlers = ref ProcessExit(AppDomain.CurrentDomain);
        handlers = isRehearsal ? handlers : null;
    }

    private static bool Any() =>
        ProcessExit(AppDomain.CurrentDomain) is not null || Unloading(AssemblyLoadContext.Default) is not null || AllContexts(null) is not { Count: <= 1 } || Listeners(null) is not null;

    // Apart: a process that never gets here does not look for it.
    private static class OfRuntime
    {
        internal static readonly Action? Run = typeof(AppContext).GetMethod("OnProcessExit", BindingFlags.Static | BindingFlags.NonPublic)?.CreateDelegate<Action>();
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "ProcessExit")]
    private static extern ref EventHandler? ProcessExit(AppDomain domain);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_unloading")]
    private static extern ref Action<AssemblyLoadContext>? Unloading(AssemblyLoadContext context);

    [UnsafeAccessor(UnsafeAccessorKind.StaticField, Name = "s_allContexts")]
    private static extern ref Dictionary<long, WeakReference<AssemblyLoadContext>>? AllContexts(AssemblyLoadContext? context);

    [UnsafeAccessor(UnsafeAccessorKind.StaticField, Name = "s_Listeners")]
    private static extern ref EventListener? Listeners(EventListener? listener);
}
