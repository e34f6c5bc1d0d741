using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace StartMethods.Bootstrap;

/// <summary>
/// <c>DOTNET_STARTUP_HOOKS</c>: ours is appended to the user's own, so that those run first, as they do in the parent. In a single-file application there
/// is no path, but the assembly's name does too; elsewhere it is a path, because the runtime checks a name with code that each child would have to compile.
/// </summary>
internal static class StartupHooks
{
    internal const string Variable = "DOTNET_STARTUP_HOOKS";
    private static readonly string Ours = Find();

    internal static string Append(string? hooks) => string.IsNullOrEmpty(hooks) ? Ours : hooks + Path.PathSeparator + Ours;

    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "An empty location is how a single file is recognised.")]
    private static string Find()
    {
        Assembly library = typeof(StartupHooks).Assembly;
        return library.Location.Length > 0 && !library.Location.Contains(Path.PathSeparator) ? library.Location : "StartMethods";
    }

    /// <summary>The value without ours; null where nothing is left.</summary>
    internal static string? Remove(string? hooks)
    {
        if (hooks is null || hooks == Ours)
            return null;
        string suffix = Path.PathSeparator + Ours;
        return hooks.EndsWith(suffix, StringComparison.Ordinal) ? hooks[..^suffix.Length] : hooks;
    }
}
