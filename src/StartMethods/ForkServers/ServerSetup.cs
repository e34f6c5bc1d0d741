using Microsoft.Win32.SafeHandles;

namespace StartMethods.ForkServers;

/// <summary>What a new fork server is told: the argument of its body.</summary>
internal sealed class ServerSetup
{
    /// <summary>Its end of the socket on which requests come.</summary>
    internal required SafeFileHandle Requests { get; init; }

    /// <summary>The memory of a <see cref="BirthNote"/>.</summary>
    internal required SafeFileHandle Births { get; init; }

    /// <summary>What to run first, so that children share what it leaves in memory.</summary>
    internal Action? Preload { get; init; }

    /// <summary>The same, asynchronous.</summary>
    internal Func<Task>? PreloadAsync { get; init; }

    /// <summary>Names of assemblies to load, with all that their types need to be ready.</summary>
    internal string[] Assemblies { get; init; } = [];

    /// <summary>The application's own assembly, which is loaded if it can be.</summary>
    internal string? Application { get; init; }

    /// <summary>The application's environment, as a block: the server's own has settings of its runtime that children are not to see.</summary>
    internal byte[] Environment { get; init; } = [];

    /// <summary>Whether code is put on huge pages.</summary>
    internal bool HugePages { get; init; }

    /// <summary>Whether to find out first, in a child, if this runtime survives a fork.</summary>
    internal bool TestsRuntime { get; init; }
}
