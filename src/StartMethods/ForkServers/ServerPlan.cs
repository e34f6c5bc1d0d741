using System.Reflection;
using Microsoft.Win32.SafeHandles;

namespace StartMethods.ForkServers;

/// <summary>How a server is started: the same each time, until it is refreshed with another preload.</summary>
internal sealed record ServerPlan(string Name, Action? Preload, Func<Task>? PreloadAsync, string[] Assemblies, bool Tiered, bool HugePages, bool TestsRuntime)
{
    internal ServerSetup Setup(SafeFileHandle requests, SafeFileHandle births) =>
        new()
        {
            Requests = requests, Births = births, Preload = Preload, PreloadAsync = PreloadAsync, Assemblies = Assemblies, Application = Assembly.GetEntryAssembly()?.FullName,
            Environment = Assignment.EncodeEnvironment(SpawnInfo.CurrentEnvironment()), HugePages = HugePages, TestsRuntime = TestsRuntime,
        };

    /// <summary>
    /// A quiet process: as few threads as possible, because each of them is given back to each child; no second mapping of code, which a fork would have to copy;
    /// no diagnostics port, dump or performance map that children would share. Children inherit these settings of the runtime, and not these variables.
    /// </summary>
    internal ChildOptions ChildOptions()
    {
        ChildOptions options = new()
        {
            Name = Name,
            Method = StartMethod.Spawn,
            OwnsChannel = true,
            MaxDepth = int.MaxValue, // it is no level of its own: its children are those of this process
            Environment =
            {
                ["DOTNET_EnableWriteXorExecute"] = "0",
                ["DOTNET_EnableDiagnostics"] = "0",
                ["DOTNET_DbgEnableMiniDump"] = "0",
                ["DOTNET_PerfMapEnabled"] = "0",
                ["DOTNET_gcServer"] = "0",
                ["DOTNET_gcConcurrent"] = "0",
                ["DOTNET_TieredPGO"] = "0",
                ["DOTNET_TC_BackgroundWorkerTimeoutMs"] = "7fffffff",
            },
        };
        if (!Tiered)
            options.Environment["DOTNET_TieredCompilation"] = "0";
        return options;
    }
}
