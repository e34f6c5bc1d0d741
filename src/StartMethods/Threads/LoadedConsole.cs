using System.Reflection;

namespace StartMethods.Threads;

/// <summary>System.Console if it is loaded, without loading it: if it is not, there is nothing to flush and nothing to forget.</summary>
internal static class LoadedConsole
{
    private const string Name = "System.Console";
    private static volatile Assembly? s_found;
    private static volatile bool s_isWatched;

    internal static Assembly? Assembly => s_isWatched ? s_found : LoadedAssembly.Find(Name);

    /// <summary>For a process that will be forked: from now on each assembly is looked at when it is loaded, and none when the question is asked.</summary>
    internal static void Watch()
    {
        if (s_isWatched)
            return;
        AppDomain.CurrentDomain.AssemblyLoad += static (_, loaded) =>
        {
            if (LoadedAssembly.Is(loaded.LoadedAssembly, Name))
                s_found = loaded.LoadedAssembly;
        };
        s_found ??= LoadedAssembly.Find(Name);
        s_isWatched = true;
    }
}
