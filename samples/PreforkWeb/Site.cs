using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Hosting;

namespace PreforkWeb;

/// <summary>What is served.</summary>
internal static class Site
{
    internal static async Task<WebApplication> StartAsync(Action<KestrelServerOptions> listen, Draining? draining = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(listen);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        draining?.AddTo(builder.Services);
        WebApplication app = builder.Build();
        if (draining is not null)
            app.Use(draining.Handle);
        app.UseRouting();
        app.MapGet("/", static () => $"worker {Environment.ProcessId}\n");
        app.UseEndpoints(static _ => { });
        await app.StartAsync();
        return app;
    }

    /// <summary>Serves some requests in the fork server, so that each worker begins with types that are loaded and code that is compiled.</summary>
    internal static async Task WarmUpAsync()
    {
        await using WebApplication app = await StartAsync(static options => options.Listen(IPAddress.Loopback, 0));
        using HttpClient client = new();
        for (int i = 0; i < 200; i++)
            await client.GetStringAsync(app.Urls.Single());
    }

    /// <summary>What signals mean, the parent decides.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
