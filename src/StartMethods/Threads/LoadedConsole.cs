namespace StartMethods.Threads;

/// <summary>Whether System.Console is loaded, without loading it: if it is not, there is nothing to flush and nothing to forget.</summary>
internal static class LoadedConsole
{
    private const string Name = "System.Console";
    private static bool s_isWatched, s_isLoaded;

    internal static bool Exists => s_isWatched ? s_isLoaded : LoadedAssembly.Find(Name) is not null;

    /// <summary>For a process that will be forked: from now on each assembly is looked at when it is loaded, and none when the question is asked.</summary>
    internal static void Watch()
    {
        if (s_isWatched)
            return;
        AppDomain.CurrentDomain.AssemblyLoad += static (_, loaded) => s_isLoaded |= LoadedAssembly.Is(loaded.LoadedAssembly, Name);
        s_isLoaded |= LoadedAssembly.Find(Name) is not null;
        s_isWatched = true;
    }
}
