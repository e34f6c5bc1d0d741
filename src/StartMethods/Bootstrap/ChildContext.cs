namespace StartMethods.Bootstrap;

/// <summary>What this process knows about itself as a child; all of it empty in a process that is none.</summary>
internal sealed class ChildContext
{
    /// <summary>Null where this process is not a child of this library.</summary>
    internal static ChildContext? Current { get; set; }

    /// <summary>How many children stand between this process and the application: 0 in the application.</summary>
    internal static int Depth { get; set; }

    internal required string Name { get; init; }

    internal required string MethodName { get; init; }

    internal required int ParentId { get; init; }
}
