using System.Reflection;

namespace StartMethods.Payloads;

/// <summary>
/// How a delegate type is called as the body of a job: <c>Action</c>, <c>Func&lt;T&gt;</c>, <c>Func&lt;Task&gt;</c>, <c>Func&lt;Task&lt;T&gt;&gt;</c> (or
/// ValueTask), each with or without an argument, each with or without a trailing <see cref="CancellationToken"/>.
/// </summary>
internal sealed class JobShape
{
    private static readonly TypeMap<JobShape> Known = new(static type => new JobShape(type));
    private readonly BodyInvoker _invoker;
    private readonly TaskReader? _task;

    internal static JobShape For(Type delegateType) => Known[delegateType];

    private JobShape(Type delegateType)
    {
        (Type[] parameters, Type result) = Signature(delegateType, out bool isCanonical);
        TakesToken = parameters.Length > 0 && parameters[^1] == typeof(CancellationToken);
        int arguments = parameters.Length - (TakesToken ? 1 : 0);
        if (arguments > 1 || Array.Exists(parameters, static parameter => parameter.IsByRefLike || parameter.IsByRef || parameter.IsPointer))
        {
            throw new PayloadException($"A body is called with at most one argument and a CancellationToken, which a {TypeText.Short(delegateType)} is not. "
                + "Capture the values in a lambda, or pass a tuple.");
        }
        ArgumentType = arguments == 1 ? parameters[0] : null;
        if (result.IsByRefLike || result.IsByRef || result.IsPointer)
            throw new PayloadException($"A body cannot return a {TypeText.Short(result)}: it points into the memory of the child. Return an array.");
        (ResultType, _task) = TaskReader.For(result);
        _invoker = BodyInvoker.Create(result, ArgumentType, TakesToken);
        BodyType = isCanonical ? delegateType : BodyTypeOf(result, ArgumentType, TakesToken);
    }

    // The type arguments of an Action or Func say it all; asking its Invoke method costs a fresh child half a millisecond.
    private static (Type[] Parameters, Type Result) Signature(Type delegateType, out bool isCanonical)
    {
        isCanonical = delegateType.Assembly == typeof(object).Assembly && delegateType.Namespace == "System";
        if (isCanonical && delegateType == typeof(Action))
            return ([], typeof(void));
        if (isCanonical && delegateType.Name.StartsWith("Action`", StringComparison.Ordinal))
            return (delegateType.GetGenericArguments(), typeof(void));
        if (isCanonical && delegateType.Name.StartsWith("Func`", StringComparison.Ordinal))
            return delegateType.GetGenericArguments() is var all ? (all[..^1], all[^1]) : default;
        isCanonical = false;
        MethodInfo invoke = delegateType.GetMethod("Invoke")!;
        return (Array.ConvertAll(invoke.GetParameters(), static parameter => parameter.ParameterType), invoke.ReturnType);
    }

    internal bool TakesToken { get; }

    internal Type? ArgumentType { get; }

    /// <summary>What the task of the result yields; <c>void</c> for none.</summary>
    internal Type ResultType { get; }

    /// <summary>The Action or Func that the body is bound as, whatever delegate type it came in.</summary>
    internal Type BodyType { get; }

    private static Type BodyTypeOf(Type result, Type? argument, bool takesToken)
    {
        Type token = typeof(CancellationToken);
        if (result == typeof(void))
        {
            return argument is null ? takesToken ? typeof(Action<CancellationToken>) : typeof(Action)
                : takesToken ? typeof(Action<,>).MakeGenericType(argument, token) : typeof(Action<>).MakeGenericType(argument);
        }
        return argument is null ? takesToken ? typeof(Func<,>).MakeGenericType(token, result) : typeof(Func<>).MakeGenericType(result)
            : takesToken ? typeof(Func<,,>).MakeGenericType(argument, token, result) : typeof(Func<,>).MakeGenericType(argument, result);
    }

    /// <summary>Runs the body on this thread, up to its first await if it is asynchronous. Whatever it throws is in the task.</summary>
    internal Task<object?> InvokeAsync(Delegate body, object? argument, CancellationToken cancellationToken)
    {
        try
        {
            object? result = _invoker.Invoke(body, argument, cancellationToken);
            if (_task is null)
                return result is null ? NullResult : Task.FromResult<object?>(result);
            return result is null
                ? throw new InvalidOperationException("The body returned null instead of a task.")
                : _task.ReadAsync(result);
        }
        catch (Exception e)
        {
            return Task.FromException<object?>(e);
        }
    }

    private static readonly Task<object?> NullResult = Task.FromResult<object?>(null);
}

/// <summary>Takes the result out of a task, whatever its type.</summary>
internal abstract class TaskReader
{
    internal abstract Task<object?> ReadAsync(object task);

    /// <summary>What a body of this return type yields, and who awaits it; null if there is nothing to await.</summary>
    internal static (Type ResultType, TaskReader? Reader) For(Type returned)
    {
        if (returned == typeof(Task))
            return (typeof(void), new PlainTaskReader());
        if (returned == typeof(ValueTask))
            return (typeof(void), new PlainValueTaskReader());
        if (!returned.IsGenericType)
            return (returned, null);
        Type definition = returned.GetGenericTypeDefinition();
        if (definition != typeof(Task<>) && definition != typeof(ValueTask<>))
            return (returned, null);
        Type result = returned.GetGenericArguments()[0];
        // The common ones are named so that they are compiled ahead of time; a fresh process would spend a millisecond on the others.
        TaskReader? reader = definition == typeof(ValueTask<>) ? null : Type.GetTypeCode(result) switch
        {
            TypeCode.Int32 when !result.IsEnum => new TaskReader<int>(),
            TypeCode.Int64 when !result.IsEnum => new TaskReader<long>(),
            TypeCode.Double => new TaskReader<double>(),
            TypeCode.Boolean => new TaskReader<bool>(),
            TypeCode.String => new TaskReader<string>(),
            _ => null,
        };
        return (result, reader ?? (TaskReader)Activator.CreateInstance((definition == typeof(Task<>) ? typeof(TaskReader<>) : typeof(ValueTaskReader<>)).MakeGenericType(result))!);
    }
}

internal sealed class TaskReader<T> : TaskReader
{
    internal override async Task<object?> ReadAsync(object task) => await ((Task<T>)task).ConfigureAwait(false);
}

internal sealed class ValueTaskReader<T> : TaskReader
{
    internal override async Task<object?> ReadAsync(object task) => await ((ValueTask<T>)task).ConfigureAwait(false);
}

internal sealed class PlainTaskReader : TaskReader
{
    internal override async Task<object?> ReadAsync(object task)
    {
        await ((Task)task).ConfigureAwait(false);
        return null;
    }
}

internal sealed class PlainValueTaskReader : TaskReader
{
    internal override async Task<object?> ReadAsync(object task)
    {
        await ((ValueTask)task).ConfigureAwait(false);
        return null;
    }
}
