using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;

namespace StartMethods.Tests.Layout;

/// <summary>Reads out of a compiled assembly which types each type uses and which folder its source is in.</summary>
internal sealed class AssemblyReader(Assembly assembly)
{
    private const BindingFlags Everything =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    // Portable PDB: the documents of a type of which no method has any (enums, interfaces, delegates).
    private static readonly Guid TypeDefinitionDocuments = new("932E74BC-DBA9-4478-8D46-0F32A7BAB3D3");
    private static readonly Dictionary<short, OpCode> OpCodesByValue = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    /// <summary>Every type of the assembly, nested and compiler-made ones included.</summary>
    internal Type[] Types { get; } = assembly.GetTypes();

    /// <summary>The source files of every type that is not nested, as the PDB names them.</summary>
    internal IReadOnlyDictionary<Type, string[]> ReadDocuments()
    {
        using FileStream file = File.OpenRead(Path.ChangeExtension(assembly.Location, ".pdb"));
        using var provider = MetadataReaderProvider.FromPortablePdbStream(file);
        MetadataReader pdb = provider.GetMetadataReader();
        string NameOf(DocumentHandle handle) => pdb.GetString(pdb.GetDocument(handle).Name).Replace('\\', '/');

        var documents = Types.Select(OutermostOf).Distinct().ToDictionary(type => type, _ => new HashSet<string>());
        foreach (Type type in Types)
        {
            HashSet<string> found = documents[OutermostOf(type)];
            foreach (MethodBase method in MethodsOf(type))
            {
                var information = pdb.GetMethodDebugInformation(MetadataTokens.MethodDefinitionHandle(method.MetadataToken & 0xFFFFFF));
                found.UnionWith(information.GetSequencePoints().Select(point => NameOf(point.Document)));
            }
            foreach (CustomDebugInformation information in pdb.GetCustomDebugInformation(MetadataTokens.EntityHandle(type.MetadataToken)).Select(pdb.GetCustomDebugInformation))
            {
                if (pdb.GetGuid(information.Kind) != TypeDefinitionDocuments)
                    continue;
                BlobReader blob = pdb.GetBlobReader(information.Value);
                while (blob.RemainingBytes > 0)
                    found.Add(NameOf(MetadataTokens.DocumentHandle(blob.ReadCompressedInteger())));
            }
        }
        return documents.ToDictionary(pair => pair.Key, pair => pair.Value.ToArray());
    }

    /// <summary>The types of this assembly that <paramref name="type"/> names in its signatures, attributes or code. Constants are copied by the compiler, and not seen.</summary>
    internal IReadOnlySet<Type> TypesUsedBy(Type type) =>
        MembersUsedBy(type).SelectMany(TypesOf).SelectMany(Parts).Where(used => used.Assembly == assembly).Select(OutermostOf).ToHashSet();

    /// <summary>Every member and type that <paramref name="type"/> names, of any assembly.</summary>
    internal IEnumerable<MemberInfo> MembersUsedBy(Type type)
    {
        IEnumerable<MemberInfo> own = type.GetInterfaces().Cast<MemberInfo>()
            .Concat(type.GetFields(Everything)).Concat(MethodsOf(type)).Concat(type.GetCustomAttributesData().Select(a => a.AttributeType));
        return (type.BaseType is { } parent ? own.Prepend(parent) : own).Concat(MethodsOf(type).SelectMany(MembersInCodeOf));
    }

    internal static Type OutermostOf(Type type)
    {
        while (type.DeclaringType is { } outer)
            type = outer;
        return type.IsGenericType && !type.IsGenericTypeDefinition ? type.GetGenericTypeDefinition() : type;
    }

    private static IEnumerable<MethodBase> MethodsOf(Type type) => type.GetMethods(Everything).Cast<MethodBase>().Concat(type.GetConstructors(Everything));

    private static IEnumerable<Type> TypesOf(MemberInfo member) => member switch
    {
        Type type => [type],
        FieldInfo field => [field.FieldType, .. Declaring(field)],
        MethodBase method => [.. method.GetParameters().Select(p => p.ParameterType), .. method is MethodInfo m ? [m.ReturnType] : Type.EmptyTypes,
            .. method.IsGenericMethod ? method.GetGenericArguments() : [], .. Declaring(method)],
        _ => [],
    };

    private static Type[] Declaring(MemberInfo member) => member.DeclaringType is { } type ? [type] : [];

    // List<Frame[]> is List, Frame
    private static IEnumerable<Type> Parts(Type type) =>
        type.HasElementType ? Parts(type.GetElementType()!)
        : type.IsGenericParameter ? type.GetGenericParameterConstraints().Where(c => !c.ContainsGenericParameters).SelectMany(Parts)
        : type.IsGenericType && !type.IsGenericTypeDefinition ? type.GetGenericArguments().SelectMany(Parts).Prepend(type.GetGenericTypeDefinition())
        : [type];

    private static IEnumerable<MemberInfo> MembersInCodeOf(MethodBase method)
    {
        if (method.GetMethodBody() is not { } body || body.GetILAsByteArray() is not { } il)
            yield break;
        foreach (LocalVariableInfo local in body.LocalVariables)
            yield return local.LocalType;
        Type[]? typeArguments = method.DeclaringType is { IsGenericType: true } declaring ? declaring.GetGenericArguments() : null;
        Type[]? methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : null;
        for (int position = 0; position < il.Length;)
        {
            short value = il[position++];
            if (value == 0xFE)
                value = (short)(0xFE00 | il[position++]);
            OpCode code = OpCodesByValue[value];
            if (code.OperandType is OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType)
                yield return method.Module.ResolveMember(BitConverter.ToInt32(il, position), typeArguments, methodArguments)!;
            position += code.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + 4 * BitConverter.ToInt32(il, position),
                _ => 4,
            };
        }
    }
}
