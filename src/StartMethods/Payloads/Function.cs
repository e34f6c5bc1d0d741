using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace StartMethods.Payloads;

/// <summary>
/// A method as the target of a delegate type. Its definition in the payload refers to nothing around it, so that it can be cached on both
/// sides by its bytes, and in a <see cref="PayloadSession"/> by number.
/// </summary>
internal sealed class Function
{
    private static readonly ConcurrentDictionary<(MethodInfo, Type), Function> ByMethod = new();
    private static readonly ConcurrentDictionary<byte[], Function> ByDefinition = new(BytesComparer.Instance);
    private readonly byte[] _definition;
    private ClosureUsage? _usage;
    private bool _usageIsKnown;
    private JobShape? _shape;

    private Function(MethodInfo method, Type delegateType, byte[] definition)
    {
        Method = method;
        DelegateType = delegateType;
        _definition = definition;
        // A delegate of a static method may be bound to its first argument.
        Type target = !method.IsStatic ? method.DeclaringType! : method.GetParameters() is [{ ParameterType: { IsValueType: false } first }, ..] ? first : typeof(object);
        TargetSlot = new ReferenceCodec(target.IsValueType ? typeof(object) : target);
    }

    internal MethodInfo Method { get; }

    internal Type DelegateType { get; }

    internal ReadOnlySpan<byte> Definition => _definition;

    /// <summary>Where the object stands that the delegate is bound to.</summary>
    internal ReferenceCodec TargetSlot { get; }

    /// <summary>How it is called as the body of a job.</summary>
    internal JobShape Shape => _shape ??= JobShape.For(DelegateType);

    /// <summary>The captured variables that it uses; worked out at the first use on the writing side.</summary>
    internal ClosureUsage? Usage
    {
        get
        {
            if (!_usageIsKnown)
            {
                _usage = ClosureUsage.Of(Method);
                _usageIsKnown = true;
            }
            return _usage;
        }
    }

    internal static Function Of(Delegate body)
    {
        if (!body.HasSingleTarget)
            throw new PayloadException($"A delegate that combines {body.GetInvocationList().Length} methods cannot travel to another process. Send one lambda that calls them all.");
        return ByMethod.GetOrAdd((body.Method, body.GetType()), static key => Define(key.Item1, key.Item2));
    }

    private static Function Define(MethodInfo method, Type delegateType)
    {
        if (method.GetType().Namespace == "System.Reflection.Emit" || method.DeclaringType is null)
            throw new PayloadException("Code that was generated at run time, such as a compiled expression, cannot travel to another process. Use a lambda or a method of the application.");
        var writer = new GraphWriter();
        writer.WriteType(delegateType);
        writer.WriteMethod(method);
        return new Function(method, delegateType, writer.Written.ToArray());
    }

    internal static Function Read(ReadOnlySpan<byte> definition)
    {
        ConcurrentDictionary<byte[], Function>.AlternateLookup<ReadOnlySpan<byte>> lookup = ByDefinition.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (lookup.TryGetValue(definition, out Function? function))
            return function;
        byte[] bytes = definition.ToArray();
        var reader = new GraphReader();
        reader.SetInput(bytes);
        Type delegateType = reader.ReadType();
        MethodInfo method = reader.ReadMethod();
        if (!delegateType.IsSubclassOf(typeof(MulticastDelegate)) || reader.Remaining != 0)
            throw MessagePackReader.Malformed("a function is not defined as one");
        return ByDefinition.GetOrAdd(bytes, new Function(method, delegateType, bytes));
    }

    internal Delegate Bind(Type delegateType, object? target) => target is null
        ? Delegate.CreateDelegate(delegateType, Method)
        : Delegate.CreateDelegate(delegateType, target, Method);

    private sealed class BytesComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        internal static readonly BytesComparer Instance = new();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            HashCode hash = default;
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }
    }
}
