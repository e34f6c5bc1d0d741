using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Runtime.CompilerServices;

namespace StartMethods.Payloads;

/// <summary>A body as a person knows it: <c>lambda at Orders.cs:41</c>. Reads the portable PDB, if there is one; only for messages.</summary>
internal static class SourceLines
{
    internal static string Describe(MethodInfo method)
    {
        string name = method.Name;
        string kind = !name.StartsWith('<') && !name.StartsWith("_Lambda$__", StringComparison.Ordinal) ? $"method {(method.DeclaringType is { } owner ? TypeText.Short(owner) + "." : "")}{name}"
            : LocalFunction(name) is { } local ? $"local function '{local}'"
            : "lambda";
        return Locate(method) is { } place ? $"{kind} at {place}" : $"{kind}{(kind == "lambda" ? $" in {Outer(method)}" : "")}";
    }

    // <Main>g__Work|0_1
    private static string? LocalFunction(string name)
    {
        int start = name.IndexOf(">g__", StringComparison.Ordinal), end = name.IndexOf('|', StringComparison.Ordinal);
        return start >= 0 && end > start ? name[(start + 4)..end] : null;
    }

    private static string Outer(MethodInfo method)
    {
        Type? type = method.DeclaringType;
        while (type is not null && type.Name.StartsWith('<'))
            type = type.DeclaringType;
        int end = method.Name.IndexOf('>', StringComparison.Ordinal);
        return $"{(type is null ? "" : TypeText.Short(type) + ".")}{(end > 1 ? method.Name[1..end] : method.Name)}";
    }

    private static string? Locate(MethodInfo method)
    {
        try
        {
            // The lines of an async method are those of its state machine.
            MethodBase body = method.GetCustomAttribute<StateMachineAttribute>()?.StateMachineType.GetMethod("MoveNext", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public) ?? (MethodBase)method;
            using MetadataReaderProvider? provider = OpenSymbols(method.Module.Assembly.Location);
            return provider is null ? null : FirstLine(provider.GetMetadataReader(), body.MetadataToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or BadImageFormatException or InvalidOperationException)
        {
            return null; // a message without a line is better than an error about the message
        }
    }

    private static MetadataReaderProvider? OpenSymbols(string assembly)
    {
        if (assembly.Length == 0 || !File.Exists(assembly))
            return null;
        string file = System.IO.Path.ChangeExtension(assembly, ".pdb");
        if (File.Exists(file))
            return MetadataReaderProvider.FromPortablePdbStream(File.OpenRead(file));
        using var image = new PEReader(File.OpenRead(assembly));
        foreach (DebugDirectoryEntry entry in image.ReadDebugDirectory())
        {
            if (entry.Type == DebugDirectoryEntryType.EmbeddedPortablePdb)
                return image.ReadEmbeddedPortablePdbDebugDirectoryData(entry);
        }
        return null;
    }

    private static string? FirstLine(MetadataReader symbols, int token)
    {
        var definition = (MethodDefinitionHandle)MetadataTokens.EntityHandle(token);
        foreach (SequencePoint point in symbols.GetMethodDebugInformation(definition.ToDebugInformationHandle()).GetSequencePoints())
        {
            if (point.IsHidden || point.Document.IsNil)
                continue;
            string path = symbols.GetString(symbols.GetDocument(point.Document).Name);
            return $"{path[(path.LastIndexOfAny(['/', '\\']) + 1)..]}:{point.StartLine}";
        }
        return null;
    }
}
