using System.Reflection;
using System.Runtime.Loader;

namespace StartMethods.Payloads;

// Types by identity: the assembly's name and build (MVID), and the metadata token. Only on the way from parent to child.
internal sealed partial class GraphWriter
{
    private const int KindNamed = 0, KindArray = 1, KindGeneric = 2;
    private readonly Dictionary<Type, int> _ownTypes = [];
    private readonly Dictionary<Assembly, int> _ownAssemblies = [];
    private PayloadSession? _session;

    /// <summary>Numbers that outlive this payload; null gives each payload its own.</summary>
    internal PayloadSession? Session { get => _session; set => _session = value; }

    private Dictionary<Type, int> Types => _session?.WrittenTypes ?? _ownTypes;

    private Dictionary<Assembly, int> Assemblies => _session?.WrittenAssemblies ?? _ownAssemblies;

    internal void WriteType(Type type)
    {
        if (WellKnownTypes.TryGetNumber(type, out int number) || Types.TryGetValue(type, out number))
        {
            WriteExtension(WireFormat.TypeNumber, number);
            return;
        }
        if (IsDefinition)
        {
            int start = BeginExtension(WireFormat.TypeDefinition);
            WriteTypeDefinition(type);
            EndExtension(start);
        }
        else
        {
            WriteExtension(WireFormat.TypeDefinition, TypeDefinition.Of(type).Bytes);
        }
        Types.Add(type, WellKnownTypes.FirstDynamic + Types.Count);
    }

    /// <summary>Whether what is written will be kept as a definition: it must say everything itself.</summary>
    internal bool IsDefinition { private get; init; }

    /// <summary>What defines a type, for itself alone.</summary>
    internal static byte[] Define(Type type)
    {
        var writer = new GraphWriter { IsDefinition = true };
        writer.WriteTypeDefinition(type);
        return writer.Written.ToArray();
    }

    private void WriteTypeDefinition(Type type)
    {
        if (type.IsArray)
        {
            WriteInt32(KindArray);
            WriteInt32(type.IsSZArray ? 0 : type.GetArrayRank());
            WriteType(type.GetElementType()!);
        }
        else if (type.IsConstructedGenericType)
        {
            Type[] arguments = type.GetGenericArguments();
            WriteInt32(KindGeneric);
            WriteInt32(arguments.Length);
            WriteType(type.GetGenericTypeDefinition());
            foreach (Type argument in arguments)
                WriteType(argument);
        }
        else
        {
            if (type.IsPointer || type.IsByRef || type.IsFunctionPointer || type.IsGenericParameter)
                throw new PayloadException($"The type {TypeText.Short(type)} has no meaning in another process.");
            WriteInt32(KindNamed);
            WriteAssembly(type.Assembly);
            WriteInt32(type.MetadataToken);
        }
    }

    private void WriteAssembly(Assembly assembly)
    {
        if (Assemblies.TryGetValue(assembly, out int number))
        {
            WriteInt32(number);
            return;
        }
        AssemblyLoadContext? context = AssemblyLoadContext.GetLoadContext(assembly);
        if (assembly.IsDynamic || assembly.IsCollectible)
        {
            throw new PayloadException($"The assembly '{assembly.GetName().Name}' {(assembly.IsDynamic ? "was generated at run time" : "is in a collectible load context")}, "
                + "so another process cannot load it. Use types and methods of an assembly that is a file of the application.");
        }
        bool isDefault = context == AssemblyLoadContext.Default;
        if (!isDefault && assembly.Location.Length == 0)
            throw new PayloadException($"The assembly '{assembly.GetName().Name}' was loaded from memory, so another process cannot load it. Load it from a file.");
        WriteArrayHeader(3);
        WriteString(assembly.GetName().Name);
        assembly.ManifestModule.ModuleVersionId.TryWriteBytes(Raw16());
        WriteString(isDefault ? null : assembly.Location);
        Assemblies.Add(assembly, Assemblies.Count);
    }

    private Span<byte> Raw16()
    {
        WriteBinaryHeader(16);
        return WriteRaw(16);
    }

    /// <summary>A method of a type: its token, and the arguments of a generic method.</summary>
    internal void WriteMethod(MethodInfo method)
    {
        Type[] arguments = method.IsGenericMethod ? method.GetGenericArguments() : [];
        WriteType(method.DeclaringType ?? throw new PayloadException($"The method '{method.Name}' belongs to no type, as code that is generated at run time does. Use a method of the application."));
        WriteInt32(method.MetadataToken);
        WriteArrayHeader(arguments.Length);
        foreach (Type argument in arguments)
            WriteType(argument);
    }

    // On the way back a type is only ever a choice from what the declared type allows; the text is a key, not an instruction.
    private void WriteResultType(Type type, Type declared)
    {
        if (!ResultTypes.Allows(declared, type))
        {
            throw new PayloadException($"A {TypeText.Short(type)} cannot come back where a {TypeText.Short(declared)} is declared: the parent only creates types that the declared result type names. "
                + (FrameworkTypes.Contains(declared)
                    ? $"Declare {TypeText.Short(type)} itself."
                    : $"Declare it as the result, put [JsonDerivedType(typeof({TypeText.Short(type)}))] on {TypeText.Short(declared)}, or move it to that assembly."));
        }
        WriteString(ResultTypes.Key(type));
    }

    private void ResetTypes()
    {
        _ownTypes.Clear();
        _ownAssemblies.Clear();
        _session = null;
    }
}
