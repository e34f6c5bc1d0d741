using System.Reflection;

namespace StartMethods.Threads;

/// <summary>Finds an assembly of the framework if the application has loaded it, without loading it.</summary>
internal static class LoadedAssembly
{
    internal static Assembly? Find(string name)
    {
        foreach (Assembly assembly in AppDomain.CurrentDomain.GetAssemblies())
        {
            if (Is(assembly, name))
                return assembly;
        }
        return null;
    }

    internal static bool Is(Assembly assembly, string name)
    {
        string full = assembly.FullName ?? "";
        return full.StartsWith(name, StringComparison.Ordinal) && full.AsSpan(name.Length).StartsWith(",", StringComparison.Ordinal);
    }
}
