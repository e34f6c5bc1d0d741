namespace StartMethods.Payloads;

/// <summary>A body that arrived, with its captured variables and its argument, ready to be called.</summary>
internal sealed class Job(Function function, Delegate body, object? argument, bool hasArgument, IPayloadSerializer? serializer)
{
    /// <summary>What the body yields, to be given to <see cref="ResultCodec"/>; <c>void</c> for none.</summary>
    internal Type ResultType => function.Shape.ResultType;

    /// <summary>Whether the body can be asked to stop.</summary>
    internal bool TakesToken => function.Shape.TakesToken;

    internal bool HasArgument { get; } = hasArgument;

    internal object? Argument { get; } = argument;

    /// <summary>The serializer that came with the job, to be used for its result.</summary>
    internal IPayloadSerializer? Serializer { get; } = serializer;

    /// <summary>For messages: <c>lambda at Orders.cs:41</c>.</summary>
    internal string Describe() => SourceLines.Describe(function.Method);

    /// <summary>Runs the body on this thread, up to its first await if it is asynchronous. Whatever it throws is in the task.</summary>
    internal Task<object?> InvokeAsync(CancellationToken cancellationToken) => function.Shape.InvokeAsync(body, Argument, cancellationToken);
}
