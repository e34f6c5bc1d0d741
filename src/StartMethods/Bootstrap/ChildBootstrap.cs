using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using StartMethods.Bootstrap;

namespace StartMethods;

/// <summary>Called by the module initializer that the package adds to an application; not meant for hand-written code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class ChildBootstrap
{
    /// <summary>
    /// Says that this application can be started again as a child. In a process that was started as a child and did not notice (startup hooks
    /// are switched off), ends it with an error, so that it never reaches Main.
    /// </summary>
    /// <param name="application">The assembly that the initializer is part of.</param>
    [DynamicDependency("Initialize", "StartupHook", "StartMethods")]
    public static void Register(Assembly application)
    {
        if (application != Assembly.GetEntryAssembly())
            return;
        Relaunch.IsRegistered = true;
        if (Environment.GetEnvironmentVariable(ChildVariable.Name) is null)
            return;
        OrderlyExit.WriteError($"StartMethods: {application.GetName().Name} was started as a child, but startup hooks are switched off in it: "
            + "remove <StartupHookSupport>false</StartupHookSupport> from its project (System.StartupHookProvider.IsSupported in its runtimeconfig.json).");
        OrderlyExit.End(ChildEntry.BootstrapFailedCode);
    }
}
