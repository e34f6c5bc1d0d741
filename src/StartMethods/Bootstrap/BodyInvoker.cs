using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace StartMethods.Bootstrap;

/// <summary>Calls a body, whatever of the sixteen shapes it has, and waits for its task if it returns one.</summary>
internal static class BodyInvoker
{
    /// <summary>What the body's value is declared as; <see cref="void"/> where it has none.</summary>
    internal static Type ResultType(Delegate body)
    {
        Type returned = body.Method.ReturnType;
        if (returned == typeof(Task))
            return typeof(void);
        return returned.IsGenericType && returned.GetGenericTypeDefinition() == typeof(Task<>) ? returned.GenericTypeArguments[0] : returned;
    }

    /// <summary>Runs the body on this thread. What it throws comes out as it was thrown.</summary>
    internal static object? Invoke(Delegate body, bool hasArgument, object? argument, CancellationToken cancellationToken)
    {
        object? returned = body switch
        {
            // The usual shapes without reflection, which would cost a young process its first use.
            Action action => Call(action),
            Func<Task> function => function(),
            Action<CancellationToken> action when !hasArgument => Call(() => action(cancellationToken)),
            Func<CancellationToken, Task> function when !hasArgument => function(cancellationToken),
            Func<int> function => function(),
            Func<string> function => function(),
            Func<bool> function => function(),
            _ => InvokeByReflection(body, hasArgument, argument, cancellationToken),
        };
        return returned is Task task ? Wait(task, body) : returned;
    }

    private static object? Call(Action action)
    {
        action();
        return null;
    }

    private static object? InvokeByReflection(Delegate body, bool hasArgument, object? argument, CancellationToken cancellationToken)
    {
        MethodInfo invoke = body.GetType().GetMethod("Invoke")!;
        bool takesToken = invoke.GetParameters().Length > (hasArgument ? 1 : 0);
        object?[] arguments = (hasArgument, takesToken) switch
        {
            (true, true) => [argument, cancellationToken],
            (true, false) => [argument],
            (false, true) => [cancellationToken],
            _ => [],
        };
        return invoke.Invoke(body, BindingFlags.DoNotWrapExceptions, null, arguments, null);
    }

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Task<T>.Result exists in every application that has a Task<T> to await.")]
    private static object? Wait(Task task, Delegate body)
    {
        task.GetAwaiter().GetResult();
        // A declared Task may be a Task<VoidTaskResult> at run time: the declaration counts.
        return ResultType(body) == typeof(void)
            ? null
            : body switch
            {
                Func<Task<int>> => ((Task<int>)task).Result,
                Func<Task<string>> => ((Task<string>)task).Result,
                _ => body.Method.ReturnType.GetProperty(nameof(Task<>.Result))!.GetValue(task),
            };
    }
}
