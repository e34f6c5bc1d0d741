namespace StartMethods.Methods;

/// <summary>exec of this application: the method that needs nothing from the parent.</summary>
internal sealed class SpawnMethod : StartMethod
{
    public override string Name => "spawn";

    protected internal override SpawnedProcess Launch(ChildLaunch launch) => launch.Start(launch.CreateSpawnInfo());
}
