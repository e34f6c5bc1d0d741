using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace StartMethods.ForkWeb;

/// <summary>Kestrel on a port of its own of the loopback interface, which answers every request with the same few bytes.</summary>
internal sealed class LoopbackServer : IAsyncDisposable
{
    internal const string Answer = "Hello, world!";

    private static readonly HttpClient Warm = new();
    private readonly WebApplication _application;
    private long _served;

    private LoopbackServer(WebApplication application) => _application = application;

    internal int Port { get; private set; }

    /// <summary>Answers that were begun.</summary>
    internal long Served => Volatile.Read(ref _served);

    internal static async Task<LoopbackServer> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options => options.Listen(System.Net.IPAddress.Loopback, 0));
        WebApplication application = builder.Build();
        LoopbackServer server = new(application);
        application.Run(context =>
        {
            Interlocked.Increment(ref server._served);
            context.Response.ContentLength = Answer.Length;
            return context.Response.WriteAsync(Answer);
        });
        await application.StartAsync();
        server.Port = new Uri(application.Urls.First()).Port;
        return server;
    }

    internal int Request() => Get(Warm, Port);

    /// <summary>A forked child asks its parent's server, with a client of its own.</summary>
    internal int RequestAsAChild()
    {
        using HttpClient client = new();
        return Get(client, Port);
    }

    /// <summary>A forked child is server and client: everything of its own, on threads that it got from its parent.</summary>
    internal static int ServeInAChild()
    {
        LoopbackServer server = StartAsync().Result;
        using HttpClient client = new();
        return Get(client, server.Port) | Get(client, server.Port);
    }

    private static int Get(HttpClient client, int port) => client.GetStringAsync($"http://127.0.0.1:{port}/").Result == Answer ? 0 : 1;

    public ValueTask DisposeAsync() => _application.DisposeAsync();
}
