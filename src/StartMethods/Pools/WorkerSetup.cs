using Microsoft.Win32.SafeHandles;
using StartMethods.Interop;

namespace StartMethods.Pools;

/// <summary>Where a worker finds its end of the rings; the handles travel with it.</summary>
internal sealed class WorkerConnection
{
    internal SafeFileHandle? Memory;
    internal SafeFileHandle? Bell;
    internal long MemorySize;
}

/// <summary>The argument of a worker's body.</summary>
internal sealed class WorkerSetup
{
    /// <summary>Null on the portable path: the worker talks over the channel of its start.</summary>
    internal WorkerConnection? Connection;

    internal Action? Initializer;
    internal Func<Task>? InitializerAsync;
    internal IPayloadSerializer? Serializer;
    internal bool MeasuresMemory;
    internal uint MaxSpinNanoseconds;
    internal long MaxResultBytes;
    internal string Pool = "";
    internal WorkerEventSource[] EventSources = [];
}
