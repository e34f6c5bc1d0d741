namespace StartMethods.Payloads;

/// <summary>Calls a delegate whose types are known only at run time, without reflection.</summary>
internal abstract class BodyInvoker
{
    internal abstract object? Invoke(Delegate body, object? argument, CancellationToken cancellationToken);

    internal bool TakesToken { get; private set; }

    internal static BodyInvoker Create(Type result, Type? argument, bool takesToken)
    {
        BodyInvoker invoker = Create(result, argument);
        invoker.TakesToken = takesToken;
        return invoker;
    }

    private static BodyInvoker Create(Type result, Type? argument)
    {
        if (argument is not null)
        {
            return result == typeof(void)
                ? (BodyInvoker)Activator.CreateInstance(typeof(ActionInvoker<>).MakeGenericType(argument))!
                : (BodyInvoker)Activator.CreateInstance(typeof(FuncInvoker<,>).MakeGenericType(argument, result))!;
        }
        if (result == typeof(void))
            return new ActionInvoker();
        // The common ones are named so that they are compiled ahead of time.
        return (result.IsEnum ? TypeCode.Empty : Type.GetTypeCode(result)) switch
        {
            TypeCode.Int32 => new FuncInvoker<int>(),
            TypeCode.Int64 => new FuncInvoker<long>(),
            TypeCode.Double => new FuncInvoker<double>(),
            TypeCode.Boolean => new FuncInvoker<bool>(),
            TypeCode.String => new FuncInvoker<string>(),
            _ => (BodyInvoker)Activator.CreateInstance(typeof(FuncInvoker<>).MakeGenericType(result))!,
        };
    }
}

internal sealed class ActionInvoker : BodyInvoker
{
    internal override object? Invoke(Delegate body, object? argument, CancellationToken cancellationToken)
    {
        if (TakesToken)
            ((Action<CancellationToken>)body)(cancellationToken);
        else
            ((Action)body)();
        return null;
    }
}

internal sealed class ActionInvoker<TArgument> : BodyInvoker
{
    internal override object? Invoke(Delegate body, object? argument, CancellationToken cancellationToken)
    {
        if (TakesToken)
            ((Action<TArgument, CancellationToken>)body)((TArgument)argument!, cancellationToken);
        else
            ((Action<TArgument>)body)((TArgument)argument!);
        return null;
    }
}

internal sealed class FuncInvoker<TResult> : BodyInvoker
{
    internal override object? Invoke(Delegate body, object? argument, CancellationToken cancellationToken) =>
        TakesToken ? ((Func<CancellationToken, TResult>)body)(cancellationToken) : ((Func<TResult>)body)();
}

internal sealed class FuncInvoker<TArgument, TResult> : BodyInvoker
{
    internal override object? Invoke(Delegate body, object? argument, CancellationToken cancellationToken) => TakesToken
        ? ((Func<TArgument, CancellationToken, TResult>)body)((TArgument)argument!, cancellationToken)
        : ((Func<TArgument, TResult>)body)((TArgument)argument!);
}
