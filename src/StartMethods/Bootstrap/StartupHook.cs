using System.Diagnostics.CodeAnalysis;
using StartMethods.Bootstrap;

/// <summary>What DOTNET_STARTUP_HOOKS calls before Main. The name, the absence of a namespace and the signature are the runtime's.</summary>
[SuppressMessage("Design", "CA1050:Declare types in namespaces", Justification = "The runtime looks it up by this name.")]
internal static class StartupHook
{
    public static void Initialize() => ChildEntry.Run();
}
