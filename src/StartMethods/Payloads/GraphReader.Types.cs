using System.Reflection;
using System.Runtime.Loader;

namespace StartMethods.Payloads;

// Types by identity: the other end of GraphWriter.Types.cs.
internal sealed partial class GraphReader
{
    private const int KindNamed = 0, KindArray = 1, KindGeneric = 2;
    private const int MaximumRank = 32;
    private List<Type>? _ownTypes;
    private List<Assembly>? _ownAssemblies;

    internal PayloadSession? Session { get; set; }

    private List<Type> Types => Session?.ReadTypes ?? (_ownTypes ??= []);

    private List<Assembly> Assemblies => Session?.ReadAssemblies ?? (_ownAssemblies ??= []);

    internal Type ReadType()
    {
        if (IsResult)
            throw Malformed("it names a type where none may be named");
        if (IsExtension(WireFormat.TypeNumber))
        {
            int number = ReadExtensionNumber(WireFormat.TypeNumber), index = number - WellKnownTypes.FirstDynamic;
            return WellKnownTypes.TryGetType(number) ?? ((uint)index < (uint)Types.Count ? Types[index] : throw Malformed($"type {number} is not defined"));
        }
        ReadOnlySpan<byte> definition = ReadExtension(WireFormat.TypeDefinition);
        Type type = IsDefinition ? ReadNestedDefinition(definition.Length) : TypeDefinition.TypeOf(definition);
        Types.Add(type);
        return type;
    }

    /// <summary>Whether what is read is a definition, whose parts may refer to one another.</summary>
    internal bool IsDefinition { private get; init; }

    /// <summary>The type that <see cref="GraphWriter.Define"/> wrote.</summary>
    internal static Type ReadDefinition(byte[] definition)
    {
        var reader = new GraphReader { IsDefinition = true };
        reader.SetInput(definition);
        Type type = reader.ReadTypeDefinition();
        return reader.Remaining == 0 ? type : throw Malformed("the definition of a type has a wrong length");
    }

    private Type ReadNestedDefinition(int length)
    {
        int resume = Position;
        Rewind(length);
        Type type = ReadTypeDefinition();
        return Position == resume ? type : throw Malformed("the definition of a type has a wrong length");
    }

    private Type ReadTypeDefinition()
    {
        if (++_depth > WireFormat.MaximumDepth)
            throw Malformed("types are nested too deep");
        try
        {
            switch (ReadInt32())
            {
                case KindArray:
                    int rank = ReadInt32(0, MaximumRank);
                    Type element = ReadType();
                    return rank == 0 ? element.MakeArrayType() : element.MakeArrayType(rank);
                case KindGeneric:
                    var arguments = new Type[ReadInt32(1, Remaining)];
                    Type definition = ReadType();
                    for (int i = 0; i < arguments.Length; i++)
                        arguments[i] = ReadType();
                    return definition.MakeGenericType(arguments);
                case KindNamed:
                    Assembly assembly = ReadAssembly();
                    return assembly.ManifestModule.ResolveType(ReadInt32());
                default:
                    throw Malformed("a type is defined in an unknown way");
            }
        }
        catch (ArgumentException e)
        {
            throw new PayloadException("A payload that arrived is malformed: it defines a type that cannot exist.", e);
        }
        finally
        {
            _depth--;
        }
    }

    private Assembly ReadAssembly()
    {
        if (Peek() < 0x80)
            return Assemblies[ReadInt32(0, Assemblies.Count - 1)];
        ReadArrayHeader(3);
        string name = ReadText();
        var build = new Guid(ReadBinary(16));
        Assembly assembly = FindAssembly(name, build, ReadString());
        Assemblies.Add(assembly);
        return assembly;
    }

    private static Assembly FindAssembly(string name, Guid build, string? location)
    {
        Assembly? sameName = null;
        foreach (Assembly loaded in AppDomain.CurrentDomain.GetAssemblies())
        {
            if (loaded.IsDynamic || !FrameworkTypes.IsNamed(loaded, name))
                continue;
            if (loaded.ManifestModule.ModuleVersionId == build)
                return loaded;
            sameName = loaded;
        }
        if (sameName is null)
        {
            try
            {
                sameName = location is null ? Assembly.Load(new AssemblyName(name)) : AssemblyLoadContext.Default.LoadFromAssemblyPath(location);
            }
            catch (Exception e) when (e is FileNotFoundException or FileLoadException or BadImageFormatException)
            {
                throw new PayloadException($"This process cannot load the assembly '{name}' that the job needs. It must be deployed with the application.", e);
            }
        }
        Guid here = sameName.ManifestModule.ModuleVersionId;
        return here == build
            ? sameName
            : throw new PayloadException($"Build id mismatch: '{name}' is build {here} in this process and build {build} in the parent. "
                + "The files of the application were replaced while it ran; restart the application.");
    }

    internal MethodInfo ReadMethod()
    {
        Type owner = ReadType();
        int token = ReadInt32();
        int count = ReadArrayHeader();
        var arguments = count == 0 ? [] : new Type[count];
        for (int i = 0; i < count; i++)
            arguments[i] = ReadType();
        try
        {
            MethodBase? found = owner.Module.ResolveMethod(token, owner.IsGenericType ? owner.GetGenericArguments() : null, null);
            if (found is not MethodInfo method || found.DeclaringType is null)
                throw Malformed("it names a method that is none");
            if (owner.IsGenericType)
                method = (MethodInfo)MethodBase.GetMethodFromHandle(method.MethodHandle, owner.TypeHandle)!;
            if (method.DeclaringType != owner)
                throw Malformed("it names a method of another type");
            return count == 0 ? method : method.MakeGenericMethod(arguments);
        }
        catch (ArgumentException e)
        {
            throw new PayloadException("A payload that arrived is malformed: it names a method that does not exist.", e);
        }
    }

    private Type ReadResultType(Type declared)
    {
        string key = ReadText();
        return ResultTypes.Find(declared, key)
            ?? throw Malformed($"it names a type that a {TypeText.Short(declared)} from another process may not be");
    }

    private void ResetTypes()
    {
        _ownTypes?.Clear();
        _ownAssemblies?.Clear();
        Session = null;
    }
}
