using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using StartMethods.Threads;

namespace StartMethods.Forking;

/// <summary>The writers behind Console.Out and Console.Error, if the application has ever used them: never created here.</summary>
internal static class InheritedConsole
{
    private const BindingFlags Static = BindingFlags.NonPublic | BindingFlags.Static;

    // Looked for once: a child that looks for them itself takes some forty page faults for it.
    private static Fields? s_fields;

    /// <summary>Writes out what is buffered, before a fork: else the child would write it once more.</summary>
    internal static void Flush()
    {
        if (Found() is not { } fields)
            return;
        (fields.Out?.GetValue(null) as TextWriter)?.Flush();
        (fields.Error?.GetValue(null) as TextWriter)?.Flush();
    }

    /// <summary>
    /// In a child that was given standard descriptors of its own: the console's writers hold duplicates of the parent's, so they are dropped and made anew with the next use.
    /// Writers that the application has set itself stay.
    /// </summary>
    /// <param name="isRehearsal">Whether this is the process that will be forked, where nothing of the console's is changed.</param>
    internal static void Forget(bool isRehearsal = false)
    {
        if (Found() is not { } fields)
            return;
        if (fields.IsOutRedirected?.GetValue(null) is false)
            Drop(fields.Out, isRehearsal);
        if (fields.IsErrorRedirected?.GetValue(null) is false)
            Drop(fields.Error, isRehearsal);
        foreach (FieldInfo? field in fields.Others)
            Drop(field, isRehearsal);
    }

    private static void Drop(FieldInfo? field, bool isRehearsal)
    {
        if (isRehearsal)
            _ = field?.GetValue(null);
        (isRehearsal ? s_fields!.Own : field)?.SetValue(null, isRehearsal ? s_fields : null);
    }

    private static Fields? Found() => s_fields ??= Class() is { } console ? new Fields(console) : null;

    private sealed class Fields(Type console)
    {
        internal FieldInfo? Out { get; } = Field(console, "s_out");

        internal FieldInfo? Error { get; } = Field(console, "s_error");

        internal FieldInfo? IsOutRedirected { get; } = Field(console, "s_isOutTextWriterRedirected");

        internal FieldInfo? IsErrorRedirected { get; } = Field(console, "s_isErrorTextWriterRedirected");

        internal FieldInfo?[] Others { get; } =
            [Field(console, "s_in"), Field(console, "_isStdInRedirected"), Field(console, "_isStdOutRedirected"), Field(console, "_isStdErrRedirected")];

        /// <summary>One that a rehearsal may write.</summary>
        internal FieldInfo? Own { get; } = Field(typeof(InheritedConsole), nameof(s_fields));
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Without the fields there is nothing to flush or to forget.")]
    private static Type? Class() => LoadedConsole.Assembly?.GetType("System.Console");

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Without the fields there is nothing to flush or to forget.")]
    private static FieldInfo? Field(Type console, string name) => console.GetField(name, Static);
}
