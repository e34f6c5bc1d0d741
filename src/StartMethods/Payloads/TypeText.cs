using System.Text;

namespace StartMethods.Payloads;

/// <summary>Types as a person writes them in C#, for messages.</summary>
internal static class TypeText
{
    /// <summary>"Dictionary&lt;string, Order.Line[]&gt;": no namespaces.</summary>
    internal static string Short(Type type)
    {
        if (Keyword(type) is { } keyword)
            return keyword;
        if (type.IsArray)
            return $"{Short(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        if (type.IsPointer || type.IsByRef)
            return Short(type.GetElementType()!) + (type.IsPointer ? "*" : "&");
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            return Short(underlying) + "?";
        var text = new StringBuilder();
        if (type is { IsNested: true, IsGenericParameter: false } && !type.DeclaringType!.Name.StartsWith('<'))
            text.Append(WithoutArity(type.DeclaringType!.Name)).Append('.');
        text.Append(WithoutArity(type.Name));
        if (type.IsGenericType)
        {
            text.Append('<');
            foreach (Type argument in type.GetGenericArguments())
                text.Append(text[^1] == '<' ? "" : ", ").Append(Short(argument));
            text.Append('>');
        }
        return text.ToString();
    }

    /// <summary>The name alone, without the types around it.</summary>
    internal static string Simple(Type type) => WithoutArity(type.Name);

    private static string WithoutArity(string name) => name.IndexOf('`') is var tick and >= 0 ? name[..tick] : name;

    private static string? Keyword(Type type) => type.IsEnum ? null : type.FullName switch
    {
        "System.Object" => "object", "System.String" => "string", "System.Boolean" => "bool", "System.Char" => "char", "System.Int32" => "int",
        "System.Int64" => "long", "System.Double" => "double", "System.Single" => "float", "System.Byte" => "byte", "System.Decimal" => "decimal",
        "System.UInt32" => "uint", "System.UInt64" => "ulong", "System.Int16" => "short", "System.UInt16" => "ushort", "System.SByte" => "sbyte",
        "System.Void" => "void",
        _ => null,
    };
}
