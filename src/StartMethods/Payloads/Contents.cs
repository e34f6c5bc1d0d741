namespace StartMethods.Payloads;

/// <summary>How the instances of each actual type are written, made at its first use.</summary>
internal static class Contents
{
    private static readonly TypeMap<Content> Known = new(Create);

    internal static Content For(Type type) => Known[type];

    private static Content Create(Type type)
    {
        if (ClosureContent.IsClosure(type))
            return new ClosureContent(type); // first, because most children meet nothing else
        if (type.IsValueType || type == typeof(string))
            return new BoxedContent(type, Codecs.For(type));
        if (type.IsArray)
            return ArrayContents.Create(type);
        if (typeof(Type).IsAssignableFrom(type))
            return new TypeContent(type);
        if (type.IsSubclassOf(typeof(Delegate)))
            return new DelegateContent(type);
        if (typeof(Exception).IsAssignableFrom(type))
            return new ExceptionContent(type);
        if (type.IsGenericTypeDefinition || type.IsPointer || type.IsByRef)
            return new RefusedContent(type, "There cannot be an instance of it.");
        if (SpecialContents.Create(type) is { } special)
            return special; // even where the type is abstract: Encoding
        if (HandleContents.Create(type) is { } handle)
            return handle;
        if (Refusals.ReasonFor(type) is { } reason)
            return new RefusedContent(type, reason);
        if (CollectionContents.Create(type) is { } collection)
            return collection;
        if (type.IsAbstract)
            return new RefusedContent(type, "It is abstract, so there cannot be an instance of it.");
        if (FrameworkTypes.Contains(type) && !IsPlainFrameworkClass(type))
            return new RefusedContent(type, Refusals.ReasonForFrameworkClass(type));
        return new PlainContent(type);
    }

    private static bool IsPlainFrameworkClass(Type type)
    {
        if (type == typeof(object))
            return true;
        string name = type.FullName ?? "";
        return name.StartsWith("System.Tuple`", StringComparison.Ordinal) || name == "System.Random"
            || name.StartsWith("System.Random+", StringComparison.Ordinal) && !name.Contains("ThreadSafe", StringComparison.Ordinal);
    }
}
