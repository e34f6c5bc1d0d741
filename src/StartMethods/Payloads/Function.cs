using System.Collections.Concurrent;
using System.Reflection;

namespace StartMethods.Payloads;

/// <summary>
/// A method as the target of a delegate type. Its definition in the payload refers to nothing around it, so that it can be cached on both
/// sides by its bytes, and in a <see cref="PayloadSession"/> by number.
/// </summary>
internal sealed class Function
{
    // A table of our own, by the bytes of the definition: a dictionary with a key like that is not in the framework's compiled code, and
    // compiling it would cost a fresh child more than everything else that it does here.
    private const int Buckets = 256;
    private static readonly Function?[] ReadFunctions = new Function?[Buckets];
    private readonly byte[] _definition;
    private int _hash;
    private Function? _sameBucket, _sameMethod;
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

    // Only where bodies are sent from; a child that runs one never makes this.
    private static class Written
    {
        internal static readonly ConcurrentDictionary<MethodInfo, Function> ByMethod = new();
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
        MethodInfo method = body.Method;
        Type type = body.GetType();
        Function first = Written.ByMethod.TryGetValue(method, out Function? known) ? known : Written.ByMethod.GetOrAdd(method, Define(method, type));
        for (Function? function = first; function is not null; function = Volatile.Read(ref function._sameMethod))
        {
            if (function.DelegateType == type)
                return function;
        }
        Function added = Define(method, type);
        lock (first)
        {
            added._sameMethod = first._sameMethod;
            Volatile.Write(ref first._sameMethod, added);
        }
        return added;
    }

    private static Function Define(MethodInfo method, Type delegateType)
    {
        if (method.GetType().Namespace == "System.Reflection.Emit" || method.DeclaringType is null)
            throw new PayloadException("Code that was generated at run time, such as a compiled expression, cannot travel to another process. Use a lambda or a method of the application.");
        var writer = new GraphWriter { IsDefinition = true };
        writer.WriteType(delegateType);
        writer.WriteMethod(method);
        return new Function(method, delegateType, writer.Written.ToArray());
    }

    internal static Function Read(ReadOnlySpan<byte> definition)
    {
        HashCode code = default;
        code.AddBytes(definition);
        int hash = code.ToHashCode();
        for (Function? known = Volatile.Read(ref ReadFunctions[hash & (Buckets - 1)]); known is not null; known = known._sameBucket)
        {
            if (known._hash == hash && definition.SequenceEqual(known._definition))
                return known;
        }
        byte[] bytes = definition.ToArray();
        var reader = new GraphReader { IsDefinition = true };
        reader.SetInput(bytes);
        Type delegateType = reader.ReadType();
        MethodInfo method = reader.ReadMethod();
        if (!delegateType.IsSubclassOf(typeof(MulticastDelegate)) || reader.Remaining != 0)
            throw MessagePackReader.Malformed("a function is not defined as one");
        var function = new Function(method, delegateType, bytes) { _hash = hash };
        lock (ReadFunctions)
        {
            function._sameBucket = ReadFunctions[hash & (Buckets - 1)];
            Volatile.Write(ref ReadFunctions[hash & (Buckets - 1)], function);
        }
        return function;
    }

    internal Delegate Bind(Type delegateType, object? target) => target is null
        ? Delegate.CreateDelegate(delegateType, Method)
        : Delegate.CreateDelegate(delegateType, target, Method);
}
