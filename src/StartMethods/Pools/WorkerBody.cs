using StartMethods.Interop;

namespace StartMethods.Pools;

/// <summary>The body of a worker process: it runs tasks until it is told to leave.</summary>
internal static class WorkerBody
{
    /// <summary>What <c>ChildProcess.Start</c> gets.</summary>
    internal static void Run(WorkerSetup setup)
    {
        using TaskRunner worker = setup.Connection is null ? new FrameWorker(setup) : new RingWorker(setup);
        using EventForwarder? events = setup.EventSources.Length > 0 ? new EventForwarder(setup.EventSources) : null;
        try
        {
            setup.Initializer?.Invoke();
            setup.InitializerAsync?.Invoke().GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            worker.InitializerFailed(e);
            return;
        }
        worker.Serve();
    }
}
