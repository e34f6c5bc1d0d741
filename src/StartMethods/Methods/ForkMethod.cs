using StartMethods.Forking;
using StartMethods.Spawning;

namespace StartMethods.Methods;

/// <summary>The engine clones this process: the body runs in the heap as it is, nothing is written for the wire but the result.</summary>
internal sealed class ForkMethod(ForkOptions? options) : StartMethod
{
    public override string Name => "fork";

    public override string? UnsupportedReason => ForkEngine.UnsupportedReason;

    protected internal override SpawnedProcess Launch(ChildLaunch launch)
    {
        ForkOutcome outcome = ForkOperation.Run(options, [launch.End.Socket!], rehearse: () =>
        {
            ForkRehearsal.Run();
            ForkRehearsal.Compile(launch.Body);
        });
        if (outcome.IsChild)
            launch.RunInChild();
        return new SpawnedProcess(ProcessLifetime.OfChild(outcome.ProcessId, outcome.Pidfd));
    }
}
