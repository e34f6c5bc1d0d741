using System.Reflection;
using System.Text;

namespace StartMethods.Tests.Layout;

/// <summary>Writes the public surface of an assembly as text: one line a member, sorted, so that a change is a readable difference.</summary>
internal static class PublicApiText
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;
    private static readonly NullabilityInfoContext Nullability = new();

    internal static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (Type type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(Heading(type)).Append('\n');
            foreach (string member in MembersOf(type).Order(StringComparer.Ordinal))
                text.Append("    ").Append(member).Append('\n');
        }
        return text.ToString();
    }

    private static string Heading(Type type)
    {
        string kind = type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsSubclassOf(typeof(Delegate)) ? "delegate"
            : type.IsValueType ? "struct" : type is { IsAbstract: true, IsSealed: true } ? "static class"
            : type.IsAbstract ? "abstract class" : type.IsSealed ? "sealed class" : "class";
        IEnumerable<Type> parents = type.GetInterfaces().Where(i => i.IsPublic && type.BaseType?.GetInterfaces().Contains(i) != true).OrderBy(i => i.Name, StringComparer.Ordinal);
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) && parent != typeof(Enum) && parent != typeof(MulticastDelegate))
            parents = parents.Prepend(parent);
        string list = string.Join(", ", parents.Select(p => Name(p)));
        return $"{kind} {(type.IsNested ? Name(type.DeclaringType!) + "." : "")}{Name(type)}{(list.Length > 0 && !type.IsEnum ? " : " + list : "")}";
    }

    private static IEnumerable<string> MembersOf(Type type)
    {
        if (type.IsEnum)
            return type.GetEnumNames().Select(name => $"{name} = {Convert.ToInt64(Enum.Parse(type, name))}");
        if (type.IsSubclassOf(typeof(Delegate)))
            return [Signature(type.GetMethod("Invoke")!)];
        return type.GetConstructors(Declared).Where(IsVisible).Select(c => $"{Access(c)}new({Parameters(c)})")
            .Concat(type.GetMethods(Declared).Where(m => IsVisible(m) && (!m.IsSpecialName || m.Name.StartsWith("op_", StringComparison.Ordinal))
                && !m.Name.StartsWith('<')).Select(m => $"{Access(m)}{Signature(m)}"))
            .Concat(type.GetProperties(Declared).Where(p => p.GetAccessors(true).Any(IsVisible)).Select(Property))
            .Concat(type.GetEvents(Declared).Where(e => IsVisible(e.AddMethod!)).Select(e => $"{Access(e.AddMethod!)}event {Name(e.EventHandlerType!)} {e.Name}"))
            .Concat(type.GetFields(Declared).Where(f => f.IsPublic || f.IsFamily).Select(f => $"{(f.IsLiteral ? "const " : f.IsStatic ? "static " : "")}{Name(f.FieldType, Nullability.Create(f))} {f.Name}"));
    }

    private static string Property(PropertyInfo property)
    {
        MethodInfo accessor = property.GetAccessors(true).First(IsVisible);
        string index = property.GetIndexParameters() is { Length: > 0 } ps ? $"[{string.Join(", ", ps.Select(p => $"{Name(p.ParameterType)} {p.Name}"))}]" : "";
        string set = property.SetMethod is { } setter && IsVisible(setter)
            ? setter.ReturnParameter.GetRequiredCustomModifiers().Length > 0 ? " init;" : " set;" : "";
        string get = property.GetMethod is { } getter && IsVisible(getter) ? " get;" : "";
        string required = property.IsDefined(typeof(System.Runtime.CompilerServices.RequiredMemberAttribute)) ? "required " : "";
        return $"{Access(accessor)}{required}{Name(property.PropertyType, Nullability.Create(property))} {property.Name}{index} {{{get}{set} }}";
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Access(MethodBase method) =>
        (method.IsPublic ? "" : "protected ") + (method.IsStatic ? "static " : "")
        + (method.DeclaringType!.IsInterface ? "" : method.IsAbstract ? "abstract " : method is MethodInfo m && m.GetBaseDefinition() != m ? "override "
            : method is { IsVirtual: true, IsFinal: false } ? "virtual " : "");

    private static string Signature(MethodInfo method)
    {
        string generic = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(a => a.Name))}>" : "";
        return $"{Name(method.ReturnType, Nullability.Create(method.ReturnParameter))} {method.Name}{generic}({Parameters(method)})";
    }

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p =>
        $"{(p.IsOut ? "out " : p.ParameterType.IsByRef ? p.IsIn ? "in " : "ref " : p.IsDefined(typeof(ParamArrayAttribute)) ? "params " : "")}{Name(p.ParameterType, Nullability.Create(p))} {p.Name}"
        + (p.HasDefaultValue ? $" = {p.DefaultValue ?? "default"}" : "")));

    private static string Name(Type type, NullabilityInfo? nullability = null)
    {
        if (type.IsByRef)
            return Name(type.GetElementType()!, nullability);
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            return Name(underlying) + "?";
        string mark = nullability is { } n && !type.IsValueType && (n.ReadState == NullabilityState.Nullable || n.WriteState == NullabilityState.Nullable) ? "?" : "";
        if (type.IsArray)
            return Name(type.GetElementType()!, nullability?.ElementType) + $"[{new string(',', type.GetArrayRank() - 1)}]" + mark;
        if (!type.IsGenericType)
            return type.Name + mark;
        string[] arguments = [.. type.GetGenericArguments().Select((argument, i) =>
            Name(argument, nullability is { } all && i < all.GenericTypeArguments.Length ? all.GenericTypeArguments[i] : null))];
        int tick = type.Name.IndexOf('`');
        return tick < 0 ? type.Name + mark : $"{type.Name[..tick]}<{string.Join(", ", arguments)}>{mark}";
    }
}
