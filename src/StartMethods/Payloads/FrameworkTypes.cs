using System.Reflection;

namespace StartMethods.Payloads;

/// <summary>Which types belong to the framework: their fields are not ours to copy.</summary>
internal static class FrameworkTypes
{
    // Also what was found out about the last assembly: mostly there is one, the application's.
    private static Verdict? s_last;

    private sealed record Verdict(Assembly Assembly, bool IsFramework);

    internal static bool Contains(Type type)
    {
        Assembly assembly = type.Assembly;
        if (assembly == typeof(object).Assembly)
            return true;
        Verdict? last = Volatile.Read(ref s_last);
        if (last is null || last.Assembly != assembly)
            Volatile.Write(ref s_last, last = new Verdict(assembly, IsFramework(assembly)));
        return last.IsFramework;
    }

    // By the name and the key that only Microsoft signs with: in a single file application there is no folder to look at.
    private static bool IsFramework(Assembly assembly)
    {
        string name = assembly.FullName ?? "";
        if (!name.StartsWith("System.", StringComparison.Ordinal) && !name.StartsWith("Microsoft.", StringComparison.Ordinal) && !name.StartsWith("WindowsBase,", StringComparison.Ordinal)
            && !name.StartsWith("System,", StringComparison.Ordinal))
        {
            return false;
        }
        int token = name.IndexOf("PublicKeyToken=", StringComparison.Ordinal);
        return token >= 0 && name[(token + 15)..] is "7cec85d7bea7798e" or "b03f5f7f11d50a3a" or "b77a5c561934e089" or "cc7b13ffcd2ddd51" or "adb9793829ddae60" or "31bf3856ad364e35";
    }

    /// <summary>Whether this is the assembly of that simple name. An AssemblyName would cost a fresh child more than the search.</summary>
    internal static bool IsNamed(Assembly assembly, string name) =>
        assembly.FullName is { } full && full.Length > name.Length && full[name.Length] == ',' && full.StartsWith(name, StringComparison.Ordinal);
}
