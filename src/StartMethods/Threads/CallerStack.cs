using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.Loader;
using StartMethods.Interop;

namespace StartMethods.Threads;

/// <summary>From where a fork is asked for: which call site, and whether from within code that must not be cut in two.</summary>
internal sealed class CallerStack
{
    private const int MostKnown = 1000;

    // By where they were: a walk is four kilobytes of garbage, a page that each later fork copies.
    private static readonly ConcurrentDictionary<ulong, CallerStack> Known = new();

    private CallerStack() { }

    /// <summary>"Program.Main (offset 42)": the first frame outside of this library.</summary>
    internal string CallSite { get; private set; } = "an unknown place";

    /// <summary>The type whose static constructor is running; null where none is.</summary>
    internal Type? StaticConstructorOf { get; private set; }

    /// <summary>A method of an assembly of another load context than the default one; null where there is none.</summary>
    internal MethodBase? InOtherContext { get; private set; }

    /// <summary>Whether a finalizer is running on this thread.</summary>
    internal bool IsInFinalizer { get; private set; }

    // None of the code can be unloaded: what is known would keep it, or be taken for code that comes to lie there later.
    private bool _lasts = true;

    /// <summary>The stack of the calls that <see cref="Native.ForkPlace"/> has a number for: looked at when they are made for the first time.</summary>
    internal static CallerStack Of(ulong place)
    {
        if (place != 0 && Known.TryGetValue(place, out CallerStack? known))
            return known;
        CallerStack walked = Walk();
        if (place != 0 && walked is { _lasts: true, StaticConstructorOf: null, InOtherContext: null } && Known.Count < MostKnown)
            Known[place] = walked;
        return walked;
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "A frame without a method is passed over.")]
    internal static CallerStack Walk()
    {
        CallerStack result = new();
        bool outside = false;
        foreach (StackFrame frame in new StackTrace(fNeedFileInfo: false).GetFrames())
        {
            if (frame.GetMethod() is not { } method)
            {
                result._lasts = false;
                continue;
            }
            if (!outside && method.Module.Assembly != typeof(CallerStack).Assembly)
            {
                outside = true;
                result.CallSite = $"{method.DeclaringType?.FullName}.{method.Name} (IL offset {frame.GetILOffset()})";
            }
            result.Look(method);
        }
        return result;
    }

    private void Look(MethodBase method)
    {
        if (method is ConstructorInfo { IsStatic: true })
            StaticConstructorOf ??= method.DeclaringType;
        else if (method.Name == "Finalize" && method.IsVirtual)
            IsInFinalizer = true;
        _lasts &= !method.Module.Assembly.IsCollectible && !method.Module.Assembly.IsDynamic;
        if (InOtherContext is null && !method.Module.Assembly.IsDynamic && AssemblyLoadContext.GetLoadContext(method.Module.Assembly) is { } context && context != AssemblyLoadContext.Default)
            InOtherContext = method;
    }
}
