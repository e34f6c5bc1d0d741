// Web servers and clients that are forked: ForkWeb http <count>, ForkWeb live <port file> <options…>, ForkWeb load <port> <connections> <seconds>.
using StartMethods.ForkChild;
using StartMethods.ForkWeb;

switch (args)
{
    case ["http", string count]:
        await using (LoopbackServer server = await LoopbackServer.StartAsync())
        {
            Parents.Become("warm");
            if (server.Request() != 0)
                return 1;
            int wrong = ForkLoop.Run("http-client", server.RequestAsAChild, int.Parse(count));
            return wrong | ForkLoop.Run("http-server", LoopbackServer.ServeInAChild, int.Parse(count));
        }
    case ["load", string port, string connections]:
        return LoadGenerator.Run(int.Parse(port), int.Parse(connections));
    case ["live", string verb, string forks, string connections, string pause]:
        return await LiveServer.RunAsync(verb, int.Parse(forks), int.Parse(connections), int.Parse(pause));
    default:
        Console.Error.WriteLine("ForkWeb: http <count> | live <verb> <forks> <connections> <milliseconds between forks> | load <port> <connections>");
        return 64;
}
