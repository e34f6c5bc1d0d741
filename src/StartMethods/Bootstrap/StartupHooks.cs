namespace StartMethods.Bootstrap;

/// <summary>
/// <c>DOTNET_STARTUP_HOOKS</c>: ours is appended to the user's own, so that those run first, as they do in the parent. An assembly name instead of a
/// path resolves from the application's own files, in a single-file application too.
/// </summary>
internal static class StartupHooks
{
    internal const string Variable = "DOTNET_STARTUP_HOOKS";
    private const string Ours = "StartMethods";

    internal static string Append(string? hooks) => string.IsNullOrEmpty(hooks) ? Ours : hooks + Path.PathSeparator + Ours;

    /// <summary>The value without ours; null where nothing is left.</summary>
    internal static string? Remove(string? hooks)
    {
        if (hooks is null || hooks == Ours)
            return null;
        string suffix = Path.PathSeparator + Ours;
        return hooks.EndsWith(suffix, StringComparison.Ordinal) ? hooks[..^suffix.Length] : hooks;
    }
}
