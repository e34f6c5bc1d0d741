using System.Collections.Concurrent;
using System.Reflection;

namespace StartMethods.Payloads;

/// <summary>
/// Which types may come back from a child where one type is declared. The list is made from the declared type alone, on this side; what the
/// payload says only chooses from it. So nothing is ever loaded or created because a payload names it.
/// </summary>
internal static class ResultTypes
{
    private static readonly ConcurrentDictionary<Type, Dictionary<string, Type>> Tables = new();

    private static readonly Type[] Primitives =
    [
        typeof(string), typeof(bool), typeof(char), typeof(sbyte), typeof(byte), typeof(short), typeof(ushort), typeof(int), typeof(uint), typeof(long), typeof(ulong),
        typeof(float), typeof(double), typeof(decimal), typeof(DateTime), typeof(DateTimeOffset), typeof(TimeSpan), typeof(Guid),
    ];

    internal static string Key(Type type) => type.ToString();

    internal static bool Allows(Type declared, Type actual) => Find(declared, Key(actual)) == actual;

    internal static Type? Find(Type declared, string key) => Tables.GetOrAdd(declared, Build).GetValueOrDefault(key);

    private static Dictionary<string, Type> Build(Type declared)
    {
        var table = new Dictionary<string, Type>();
        if (declared == typeof(object))
        {
            foreach (Type primitive in Primitives)
            {
                Add(table, declared, primitive);
                Add(table, declared, primitive.MakeArrayType());
            }
            Add(table, declared, typeof(object[]));
            return table;
        }
        AddCollections(table, declared);
        AddAnnotated(table, declared);
        if (declared.IsAssignableFrom(typeof(StringComparer)))
            table.Add(Key(typeof(StringComparer)), typeof(StringComparer));
        if (!FrameworkTypes.Contains(declared))
            AddSubclasses(table, declared);
        if (typeof(Exception).IsAssignableFrom(declared))
            Add(table, declared, typeof(Exception));
        return table;
    }

    private static void Add(Dictionary<string, Type> table, Type declared, Type? type)
    {
        if (type is null || type == declared || type.IsAbstract || !declared.IsAssignableFrom(type))
            return;
        string key = Key(type);
        // Two types of one name in two assemblies: neither can be chosen.
        if (!table.TryAdd(key, type) && table[key] != type)
            table[key] = typeof(void);
    }

    // What a collection interface usually holds.
    private static void AddCollections(Dictionary<string, Type> table, Type declared)
    {
        if (declared.IsArray && declared.GetElementType() is { IsPrimitive: true })
        {
            foreach (Type primitive in Primitives)
                Add(table, declared, primitive.MakeArrayType());
        }
        if (!declared.IsInterface || !declared.IsGenericType || !FrameworkTypes.Contains(declared))
            return;
        Type[] arguments = declared.GetGenericArguments();
        if (arguments.Length == 1)
        {
            Add(table, declared, arguments[0].MakeArrayType());
            foreach (Type definition in (Type[])[typeof(List<>), typeof(HashSet<>), typeof(Queue<>), typeof(System.Collections.ObjectModel.ReadOnlyCollection<>)])
                Add(table, declared, definition.MakeGenericType(arguments));
            if (arguments[0] is { IsGenericType: true } pair && pair.GetGenericTypeDefinition() == typeof(KeyValuePair<,>))
                Add(table, declared, typeof(Dictionary<,>).MakeGenericType(pair.GetGenericArguments()));
        }
        else if (arguments.Length == 2 && !arguments[0].IsByRefLike)
        {
            Add(table, declared, typeof(Dictionary<,>).MakeGenericType(arguments));
            Add(table, declared, typeof(System.Collections.ObjectModel.ReadOnlyDictionary<,>).MakeGenericType(arguments));
        }
    }

    // [JsonDerivedType(typeof(X))], [KnownType(typeof(X))], MessagePack's [Union(0, typeof(X))] and their like: by name, so that none of their assemblies is loaded.
    private static void AddAnnotated(Dictionary<string, Type> table, Type declared)
    {
        foreach (CustomAttributeData attribute in declared.GetCustomAttributesData())
        {
            if (attribute.AttributeType.Name is not ("JsonDerivedTypeAttribute" or "KnownTypeAttribute" or "UnionAttribute" or "XmlIncludeAttribute"))
                continue;
            foreach (CustomAttributeTypedArgument argument in attribute.ConstructorArguments)
                Add(table, declared, argument.Value as Type);
        }
    }

    private static void AddSubclasses(Dictionary<string, Type> table, Type declared)
    {
        foreach (Type candidate in TypesOf(declared.Assembly))
        {
            if (candidate.IsInterface || candidate.IsAbstract)
                continue;
            if (!candidate.IsGenericTypeDefinition)
                Add(table, declared, candidate);
            else if (declared.IsGenericType && candidate.GetGenericArguments().Length == declared.GetGenericArguments().Length)
                Add(table, declared, Close(candidate, declared.GetGenericArguments()));
        }
    }

    private static Type? Close(Type definition, Type[] arguments)
    {
        try
        {
            return definition.MakeGenericType(arguments);
        }
        catch (ArgumentException)
        {
            return null; // the candidate has constraints that these arguments do not meet
        }
    }

    private static Type[] TypesOf(Assembly assembly)
    {
        try
        {
            return assembly.GetTypes();
        }
        catch (ReflectionTypeLoadException e)
        {
            return Array.FindAll(e.Types, type => type is not null)!;
        }
    }
}
