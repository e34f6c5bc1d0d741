using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using StartMethods.Threads;

namespace StartMethods.Forking;

/// <summary>The writers behind Console.Out and Console.Error, if the application has ever used them: never created here.</summary>
internal static class InheritedConsole
{
    private const BindingFlags Static = BindingFlags.NonPublic | BindingFlags.Static;

    /// <summary>Writes out what is buffered, before a fork: else the child would write it once more.</summary>
    internal static void Flush()
    {
        if (Class() is not { } console)
            return;
        foreach (string field in (ReadOnlySpan<string>)["s_out", "s_error"])
        {
            if (Field(console, field)?.GetValue(null) is TextWriter writer)
                writer.Flush();
        }
    }

    /// <summary>
    /// In a child that was given standard descriptors of its own: the console's writers hold duplicates of the parent's, so they are dropped and made anew with the next use.
    /// Writers that the application has set itself stay.
    /// </summary>
    internal static void Forget()
    {
        if (Class() is not { } console)
            return;
        if (Field(console, "s_isOutTextWriterRedirected")?.GetValue(null) is false)
            Field(console, "s_out")?.SetValue(null, null);
        if (Field(console, "s_isErrorTextWriterRedirected")?.GetValue(null) is false)
            Field(console, "s_error")?.SetValue(null, null);
        foreach (string field in (ReadOnlySpan<string>)["s_in", "_isStdInRedirected", "_isStdOutRedirected", "_isStdErrRedirected"])
            Field(console, field)?.SetValue(null, null);
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Without the fields there is nothing to flush or to forget.")]
    private static Type? Class() => LoadedConsole.Assembly?.GetType("System.Console");

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Without the fields there is nothing to flush or to forget.")]
    private static FieldInfo? Field(Type console, string name) => console.GetField(name, Static);
}
