using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using StartMethods.Payloads;

namespace StartMethods.ForkServers;

/// <summary>
/// The server gets ready a function that a child was started for: compiled, its types loaded, its payload read once and an empty result written. The next child that is
/// forked finds all that done. No code of the function's owner runs here, except that the compiler may load what it refers to.
/// </summary>
internal static class BodyRehearsal
{
    private const BindingFlags Any = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    /// <summary>Whatever goes wrong here goes wrong in the child too, and is said there.</summary>
    internal static void Run(ReadOnlySpan<byte> definition)
    {
        try
        {
            Prepare(Function.Read(definition));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
        }
    }

    /// <summary>Compiles a body, and the state machine of an asynchronous one, and runs nothing of it: for a process that forks itself.</summary>
    /// <returns>What may have to be bound again: what is not generic, and not of an assembly that may be unloaded, which this would keep.</returns>
    internal static RuntimeMethodHandle[] Compile(MethodInfo method)
    {
        List<RuntimeMethodHandle> bound = [];
        try
        {
            foreach (MethodBase part in PartsOf(method))
            {
                if (CompileOne(part) && !part.Module.Assembly.IsCollectible)
                    bound.Add(part.MethodHandle);
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // What cannot be compiled here is told by the child that runs it.
        }
        return [.. bound];
    }

    private static void Prepare(Function function)
    {
        MethodInfo method = function.Method;
        RunOurModuleInitializer(method.Module);
        foreach (MethodBase part in PartsOf(method))
            CompileOne(part);
        Type target = function.TargetSlot.Declared;
        if (!method.IsStatic && !target.Name.StartsWith("<>c", StringComparison.Ordinal))
            return; // an object of the application's, not one of the compiler's: not to be made up
        Travel(function, method.IsStatic ? null : RuntimeHelpers.GetUninitializedObject(target));
    }

    // As the job does, with all that it captured empty, and back as its result.
    private static void Travel(Function function, object? target)
    {
        JobShape shape = function.Shape;
        bool hasArgument = shape.ArgumentType is not null;
        EncodedPayload job = JobCodec.Encode(function.Bind(function.DelegateType, target), hasArgument ? Empty(shape.ArgumentType!) : null, hasArgument);
        using (job)
            JobCodec.Decode(new ReceivedPayload(job.Bytes));
        ResultCodec.Encode(shape.ResultType == typeof(void) ? null : Empty(shape.ResultType), shape.ResultType).Dispose();
        shape.InvokeAsync(StandIn(shape.BodyType), hasArgument ? Empty(shape.ArgumentType!) : null, CancellationToken.None).GetAwaiter().GetResult();
    }

    // A delegate of this type that returns at once, with an empty value or a completed task of one: how it is called can be gone through without calling the body.
    private static Delegate StandIn(Type type)
    {
        MethodInfo invoke = type.GetMethod("Invoke")!;
        Type result = invoke.ReturnType;
        DynamicMethod method = new("StandIn", result, Array.ConvertAll(invoke.GetParameters(), static parameter => parameter.ParameterType), typeof(object).Module, skipVisibility: true);
        ILGenerator code = method.GetILGenerator();
        if (result == typeof(Task))
        {
            code.Emit(OpCodes.Call, typeof(Task).GetProperty(nameof(Task.CompletedTask))!.GetMethod!);
        }
        else if (result != typeof(void))
        {
            bool isTask = result.IsGenericType && result.GetGenericTypeDefinition() == typeof(Task<>);
            Type value = isTask ? result.GetGenericArguments()[0] : result;
            LocalBuilder empty = code.DeclareLocal(value);
            code.Emit(OpCodes.Ldloca_S, empty);
            code.Emit(OpCodes.Initobj, value);
            code.Emit(OpCodes.Ldloc, empty);
            if (isTask)
                code.Emit(OpCodes.Call, typeof(Task).GetMethod(nameof(Task.FromResult))!.MakeGenericMethod(value));
        }
        code.Emit(OpCodes.Ret);
        return method.CreateDelegate(type);
    }

    // An element of an array: making a value in any other way runs its type's static constructor.
    private static object? Empty(Type type) => type.IsValueType ? Array.CreateInstance(type, 1).GetValue(0) : null;

    // The package's own initializer in the application's module does nothing in a server. One of the application's is the application's business: its children run it.
    private static void RunOurModuleInitializer(Module module)
    {
        const int OneCall = 6;
        if (module.GetType("<Module>")?.TypeInitializer?.GetMethodBody()?.GetILAsByteArray() is { Length: <= OneCall })
            RuntimeHelpers.RunModuleConstructor(module.ModuleHandle);
    }

    // It itself, and of an asynchronous method what that runs: its state machine is a type of its own, and the builder's Start is compiled for each.
    private static List<MethodBase> PartsOf(MethodInfo method)
    {
        List<MethodBase> parts = [method];
        if (method.GetCustomAttribute<AsyncStateMachineAttribute>()?.StateMachineType is not { } machine)
            return parts;
        if (machine.ContainsGenericParameters)
            machine = machine.MakeGenericType(TypeArguments(method));
        parts.Add(machine.GetMethod("MoveNext", Any)!);
        AddStart(parts, machine.GetField("<>t__builder", Any)?.FieldType, machine);
        AddStart(parts, typeof(AsyncTaskMethodBuilder).Assembly.GetType("System.Runtime.CompilerServices.AsyncMethodBuilderCore"), machine); // which every builder calls
        return parts;
    }

    private static void AddStart(List<MethodBase> parts, Type? builder, Type machine)
    {
        if (builder?.GetMethod("Start", Any) is { IsGenericMethodDefinition: true } start)
            parts.Add(start.MakeGenericMethod(machine));
    }

    // False: it is generic.
    private static bool CompileOne(MethodBase method)
    {
        Type[] arguments = TypeArguments(method);
        if (arguments.Length == 0)
            RuntimeHelpers.PrepareMethod(method.MethodHandle);
        else
            RuntimeHelpers.PrepareMethod(method.MethodHandle, Array.ConvertAll(arguments, static argument => argument.TypeHandle));
        return arguments.Length == 0;
    }

    // Those of its type, then its own: the order in which the runtime wants them, and the compiler gives them to a state machine.
    private static Type[] TypeArguments(MethodBase method) =>
        [.. method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : [], .. method.IsGenericMethod ? method.GetGenericArguments() : []];
}
