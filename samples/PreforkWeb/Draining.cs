using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace PreforkWeb;

/// <summary>
/// How a worker ends without losing a request. Kestrel's own stop closes connections that are idle at the moment, and a request may just be on its way on one of them. So
/// first nothing more is accepted, and the next answer on each connection says that it is the last; when all are closed, or the patience is over, Kestrel stops.
/// </summary>
internal sealed class Draining
{
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IConnectionListener? _listener;
    private int _open = 1; // one for the listener, which may still bring another
    private volatile bool _begun;

    internal void AddTo(IServiceCollection services) =>
        services.AddSingleton<IConnectionListenerFactory>(provider => new Factory(this, ActivatorUtilities.CreateInstance<SocketTransportFactory>(provider)));

    internal Task Handle(HttpContext context, RequestDelegate next)
    {
        if (_begun)
            context.Response.Headers.Connection = "close";
        return next(context);
    }

    internal void Watch(ListenOptions options) => options.Use(next => async connection =>
    {
        try
        {
            await next(connection);
        }
        finally
        {
            Left();
        }
    });

    internal async Task RunAsync(TimeSpan patience)
    {
        _begun = true;
        await _listener!.UnbindAsync();
        await Task.WhenAny(_empty.Task, Task.Delay(patience));
    }

    private void Left()
    {
        if (Interlocked.Decrement(ref _open) == 0)
            _empty.SetResult();
    }

    private sealed class Factory(Draining draining, IConnectionListenerFactory inner) : IConnectionListenerFactory
    {
        public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken) =>
            draining._listener = new Listener(draining, await inner.BindAsync(endpoint, cancellationToken));
    }

    private sealed class Listener(Draining draining, IConnectionListener inner) : IConnectionListener
    {
        public EndPoint EndPoint => inner.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken)
        {
            ConnectionContext? connection = await inner.AcceptAsync(cancellationToken);
            if (connection is null)
                draining.Left();
            else
                Interlocked.Increment(ref draining._open);
            return connection;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken) => inner.UnbindAsync(cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
