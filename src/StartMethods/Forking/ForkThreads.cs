namespace StartMethods;

/// <summary>Which threads live on in a forked child, beside the one that forked.</summary>
public enum ForkThreads
{
    /// <summary>
    /// Those of the runtime and of its thread pool. Threads of the application stand still in the child for ever, wherever they were: a lock that one holds is never
    /// released there. A thread that cannot be left behind where it is (it runs managed code) makes the fork fail when <see cref="ForkOptions.Deadline"/> is over.
    /// </summary>
    Runtime,

    /// <summary>All: threads of the application go on in the child with what they were doing, as they do in the parent. What they do to the world is done twice.</summary>
    All,
}
