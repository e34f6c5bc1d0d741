namespace StartMethods.Payloads;

/// <summary>
/// A type by identity. As with a <see cref="Function"/>, its definition in the payload refers to nothing around it, so that both sides can keep it: to ask the
/// runtime for a type's assembly, build and token, or for the type that they mean, takes many times as long as a small task.
/// </summary>
internal sealed class TypeDefinition
{
    // A table of our own, by the bytes: see Function.
    private const int Buckets = 256;
    private static readonly TypeDefinition?[] Read = new TypeDefinition?[Buckets];
    private static readonly TypeMap<TypeDefinition> Written = new(static type => new TypeDefinition(type, GraphWriter.Define(type)));
    private readonly byte[] _bytes;
    private int _hash;
    private TypeDefinition? _sameBucket;

    private TypeDefinition(Type type, byte[] bytes) => (Type, _bytes) = (type, bytes);

    internal Type Type { get; }

    internal ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>What is written for a type.</summary>
    /// <exception cref="PayloadException">The type has no meaning in another process.</exception>
    internal static TypeDefinition Of(Type type) => Written[type];

    /// <summary>The type that a definition means.</summary>
    /// <exception cref="PayloadException">The definition is malformed, or of another build of the application.</exception>
    internal static Type TypeOf(ReadOnlySpan<byte> definition)
    {
        HashCode code = default;
        code.AddBytes(definition);
        int hash = code.ToHashCode();
        for (TypeDefinition? known = Volatile.Read(ref Read[hash & (Buckets - 1)]); known is not null; known = known._sameBucket)
        {
            if (known._hash == hash && definition.SequenceEqual(known._bytes))
                return known.Type;
        }
        byte[] bytes = definition.ToArray();
        var added = new TypeDefinition(GraphReader.ReadDefinition(bytes), bytes) { _hash = hash };
        lock (Read)
        {
            added._sameBucket = Read[hash & (Buckets - 1)];
            Volatile.Write(ref Read[hash & (Buckets - 1)], added);
        }
        return added.Type;
    }
}
