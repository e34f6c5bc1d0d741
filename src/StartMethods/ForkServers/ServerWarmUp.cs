namespace StartMethods.ForkServers;
internal static class ServerWarmUp
{
    internal static ReadyMessage Run(ServerSetup setup)
    {
        setup.Preload?.Invoke();
        setup.PreloadAsync?.Invoke().GetAwaiter().GetResult();
        return new ReadyMessage("no engine", "", "");
    }
}
