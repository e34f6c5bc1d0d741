using System.Collections.Concurrent;
using System.Reflection;

namespace StartMethods.Payloads;

/// <summary>Which types belong to the framework: their fields are not ours to copy.</summary>
internal static class FrameworkTypes
{
    private static readonly ConcurrentDictionary<Assembly, bool> Known = new();

    internal static bool Contains(Type type) => type.Assembly == typeof(object).Assembly || Known.GetOrAdd(type.Assembly, IsFramework);

    // By the name and the key that only Microsoft signs with: in a single file application there is no folder to look at.
    private static bool IsFramework(Assembly assembly)
    {
        AssemblyName name = assembly.GetName();
        bool isNamed = name.Name is { } text && (text.StartsWith("System.", StringComparison.Ordinal) || text.StartsWith("Microsoft.", StringComparison.Ordinal)
            || text is "System" or "mscorlib" or "netstandard" or "WindowsBase");
        return isNamed && name.GetPublicKeyToken() is { Length: 8 } token && Convert.ToHexString(token) is
            "7CEC85D7BEA7798E" or "B03F5F7F11D50A3A" or "B77A5C561934E089" or "CC7B13FFCD2DDD51" or "ADB9793829DDAE60" or "31BF3856AD364E35";
    }
}
