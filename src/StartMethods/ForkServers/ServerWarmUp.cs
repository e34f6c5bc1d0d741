using System.Reflection;
using StartMethods.Forking;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

/// <summary>What a server does before its first request, so that each child finds it done.</summary>
internal static class ServerWarmUp
{
    /// <summary>Runs the preload, rehearses a child's life, collects, and looks at what is left.</summary>
    /// <remarks>Throws what the preload throws.</remarks>
    internal static ReadyMessage Run(ServerSetup setup)
    {
        if (ForkEngine.UnsupportedReason is { } reason)
            return new ReadyMessage(reason, "", "", HasHooks: false);
        ForkedEnvironment.Adopt(setup.Environment);
        foreach (string assembly in setup.Assemblies)
            Assembly.Load(assembly);
        LoadApplication(setup.Application);
        setup.Preload?.Invoke();
        setup.PreloadAsync?.Invoke().GetAwaiter().GetResult();
        ForkedEnvironment.Adopt(setup.Environment); // a child gets that of its request, not what the preload has set
        Rehearsal.Run(setup.Environment);
        GiveBackMemory();
        (string unsafeThreads, string warning) = LeftThreads.Find();
        if (unsafeThreads.Length > 0)
            return new ReadyMessage("", unsafeThreads, warning, AtFork.Count > 0);
        if (setup.HugePages)
            _ = Native.ForkConsolidate(); // all is as it was, where there are none
        string unsupported = setup.TestsRuntime ? Canary.Run() : "";
        return new ReadyMessage(unsupported, "", warning, AtFork.Count > 0);
    }

    /// <summary>By itself, the runtime lets megabytes of what was needed for a fork lie there, for each later one to copy.</summary>
    internal static void CollectYoungest() => GC.Collect(0);

    // Each page less is one that no fork has to copy the entry of, and no child's end has to remove.
    private static void GiveBackMemory()
    {
        // Twice: the second time what the first one's finalizers let go. What survives is in the oldest generation, so a child's first collections leave it alone,
        // and shared.
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        Native.MemoryTrim();
    }

    // Most bodies are in it. A host that cannot load it again (a test host's entry is not the tests') is no reason to fail.
    private static void LoadApplication(string? name)
    {
        try
        {
            if (name is not null)
                Assembly.Load(name);
        }
        catch (Exception e) when (e is IOException or BadImageFormatException)
        {
        }
    }
}
