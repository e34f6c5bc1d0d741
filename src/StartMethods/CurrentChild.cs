using StartMethods.Bootstrap;

namespace StartMethods;

/// <summary>What a child knows about itself: <see cref="ChildProcess.Current"/>. Python: <c>multiprocessing.current_process</c> and <c>parent_process</c>.</summary>
public sealed class CurrentChild
{
    internal CurrentChild(ChildContext context) => (Name, ParentId, Method) = (context.Name, context.ParentId, MethodOf(context.MethodName));

    /// <summary>The name that <see cref="ChildOptions.Name"/> gave it.</summary>
    public string Name { get; }

    /// <summary>How it was started. Of a method that is not built in, only the name is known here.</summary>
    public StartMethod Method { get; }

    /// <summary>The process id of the process that asked for it, which may have ended since.</summary>
    public int ParentId { get; }

    private static StartMethod MethodOf(string name)
    {
        foreach (StartMethod method in StartMethod.BuiltIn())
        {
            if (method.Name == name)
                return method;
        }
        return new NamedMethod(name);
    }

    /// <summary>A method of the application's own, of which a child knows the name only.</summary>
    private sealed class NamedMethod(string name) : StartMethod
    {
        public override string Name => name;

        public override string? UnsupportedReason => $"'{name}' is a method of the parent's own, which a child has the name of only";

        protected internal override SpawnedProcess Launch(ChildLaunch launch) => throw new StartMethodNotSupportedException(UnsupportedReason!);
    }
}
