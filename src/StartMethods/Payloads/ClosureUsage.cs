using System.Reflection;
using System.Runtime.CompilerServices;

namespace StartMethods.Payloads;

/// <summary>
/// Which captured variables a body uses: read from its IL, and from that of the compiler's methods that it reaches (other lambdas, local
/// functions, the state machines of async methods and iterators). No C# code can name a closure's class, so nothing else can read its fields.
/// </summary>
internal sealed class ClosureUsage
{
    private readonly Dictionary<Type, HashSet<int>> _fields = [];
    private readonly HashSet<MethodBase> _visited = [];
    private Mask? _masks;
    private readonly Queue<MethodBase> _pending = new();

    private sealed class Mask(ClosureContent content, ulong value, Mask? next)
    {
        internal readonly ClosureContent Content = content;
        internal readonly ulong Value = value;
        internal readonly Mask? Next = next;
    }

    private const int MaximumMethods = 10_000;

    private ClosureUsage() { }

    /// <summary>Null if the body is no lambda of a closure; then nothing is left out.</summary>
    internal static ClosureUsage? Of(MethodInfo body)
    {
        if (body.IsStatic || body.DeclaringType is not { } owner || !ClosureContent.IsClosure(owner))
            return null;
        var usage = new ClosureUsage();
        usage.Visit(body);
        while (usage._pending.TryDequeue(out MethodBase? method))
        {
            if (usage._visited.Count > MaximumMethods || !usage.Scan(method))
                return null; // no IL to read, or generic methods that call each other with ever larger types: everything travels
        }
        return usage;
    }

    internal ulong MaskFor(ClosureContent content)
    {
        Mask? first = Volatile.Read(ref _masks);
        for (Mask? known = first; known is not null; known = known.Next)
        {
            if (ReferenceEquals(known.Content, content))
                return known.Value;
        }
        ulong mask = _fields.TryGetValue(Definition(content.Type), out HashSet<int>? tokens) ? content.MaskOf(tokens) : 0;
        Interlocked.CompareExchange(ref _masks, new Mask(content, mask, first), first); // whoever loses works it out again next time
        return mask;
    }

    private static Type Definition(Type type) => type.IsGenericType ? type.GetGenericTypeDefinition() : type;

    private void Visit(MethodBase method)
    {
        if (_visited.Add(method))
            _pending.Enqueue(method);
    }

    private bool Scan(MethodBase method)
    {
        if (method.GetMethodBody()?.GetILAsByteArray() is not { } code)
            return method.IsAbstract || (method.MethodImplementationFlags & MethodImplAttributes.Runtime) != 0;
        Type[]? typeArguments = method.DeclaringType is { IsGenericType: true } owner ? owner.GetGenericArguments() : null;
        Type[]? methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : null;
        var reader = new IlReader(code);
        while (reader.Next())
        {
            switch (reader.Operand)
            {
                case IlOperand.FieldRead or IlOperand.FieldWrite:
                    Touch(method.Module.ResolveField(reader.Token, typeArguments, methodArguments)!, reader.Operand == IlOperand.FieldRead);
                    break;
                case IlOperand.Method:
                    Reach(method.Module.ResolveMethod(reader.Token, typeArguments, methodArguments)!);
                    break;
                case IlOperand.Any when method.Module.ResolveMember(reader.Token, typeArguments, methodArguments) is FieldInfo field:
                    Touch(field, isRead: true); // an expression tree names the fields that it reads
                    break;
            }
        }
        return true;
    }

    private void Touch(FieldInfo field, bool isRead)
    {
        if (field.DeclaringType is not { } owner)
            return;
        if (ClosureContent.IsClosure(owner))
        {
            // A variable that is only assigned needs no value from outside.
            if (isRead)
                (_fields.TryGetValue(Definition(owner), out HashSet<int>? tokens) ? tokens : _fields[Definition(owner)] = []).Add(field.MetadataToken);
        }
        else if (IsStateMachine(owner))
        {
            VisitAll(owner);
        }
    }

    private void Reach(MethodBase method)
    {
        if (method.DeclaringType is not { } owner)
            return;
        if (IsStateMachine(owner))
            VisitAll(owner);
        else if (method.Name.StartsWith('<') || method.Name.StartsWith("_Lambda$__", StringComparison.Ordinal) || ClosureContent.IsClosure(owner))
            Visit(method);
    }

    private void VisitAll(Type stateMachine)
    {
        foreach (MethodInfo method in stateMachine.GetMethods(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
        {
            if (!method.IsAbstract)
                Visit(method);
        }
    }

    // By name, which no source can spell. The compiler does not repeat its CompilerGenerated attribute inside a closure.
    private static bool IsStateMachine(Type type) => (type.Name.StartsWith('<') || type.Name.StartsWith("VB$StateMachine", StringComparison.Ordinal)) && !type.Name.StartsWith("<>", StringComparison.Ordinal)
        && (typeof(IAsyncStateMachine).IsAssignableFrom(type) || typeof(System.Collections.IEnumerator).IsAssignableFrom(type) || typeof(System.Collections.IEnumerable).IsAssignableFrom(type)
            || Array.Exists(type.GetInterfaces(), static contract => contract.Name.StartsWith("IAsyncEnumer", StringComparison.Ordinal)));
}
