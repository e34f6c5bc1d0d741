namespace StartMethods;

/// <summary>What a thread is for, as far as a fork is concerned.</summary>
public enum ForkThreadKind
{
    /// <summary>The thread that runs Main. Blocked in an asynchronous Main it is no hindrance; doing anything else it is.</summary>
    Main,

    /// <summary>A thread of the runtime itself (finalizer, garbage collector, tiered compilation, signals, diagnostics): it lives in the child too.</summary>
    Runtime,

    /// <summary>A thread-pool worker without work.</summary>
    PoolIdle,

    /// <summary>A thread-pool worker in the middle of a work item, which would be finished twice: in the parent and in the child.</summary>
    PoolBusy,

    /// <summary>The thread that watches over the thread pool, or waits for its registered wait handles.</summary>
    PoolGate,

    /// <summary>The thread that waits for the next timer.</summary>
    Timer,

    /// <summary>The thread that waits for sockets.</summary>
    Sockets,

    /// <summary>A thread of this library.</summary>
    Library,

    /// <summary>A thread that the application, or a library that it uses, has started.</summary>
    User,

    /// <summary>A thread that native code has started, of which the runtime knows nothing.</summary>
    Foreign,
}
