using System.Runtime.ExceptionServices;
using StartMethods.Channels;

namespace StartMethods.ForkServers;

/// <summary>What a <see cref="ForkServer"/> has at hand in one process: its server, its spare children, its breaker.</summary>
internal sealed class ServerState(ServerPlan plan, int spareChildren)
{
    private static readonly TimeSpan EndGrace = TimeSpan.FromSeconds(2);
    private readonly List<ServerConnection> _all = [];

    internal Lock Gate { get; } = new();

    internal int ProcessId { get; } = Environment.ProcessId;

    // Everything below under the gate.
    internal ServerPlan Plan { get; set; } = plan;

    internal ServerConnection? Current { get; set; }

    internal ServerBreaker Breaker { get; } = new(TimeProvider.System);

    internal SpareTable<SpareChild> Spares { get; } = new(spareChildren);

    private SpareCircumstances? _spareCircumstances;

    /// <summary>What spare children are to be given now.</summary>
    /// <exception cref="StartMethodException">No descriptors are left.</exception>
    internal SpareCircumstances SpareCircumstances()
    {
        lock (Gate)
        {
            if (_spareCircumstances?.Hold() != true)
            {
                _spareCircumstances?.Dispose();
                _spareCircumstances = null;
                _spareCircumstances = new SpareCircumstances();
            }
            return _spareCircumstances;
        }
    }

    /// <summary>Spares were taken, and others will be asked for a moment later. Made with the first one that is taken, and set again for the next.</summary>
    internal Alarm? Refill { get; set; }

    /// <summary>What the preload of this plan threw: it would throw it again, so each start fails with it at once.</summary>
    internal ExceptionDispatchInfo? PreloadFailure { get; set; }

    internal bool IsEnded { get; private set; }

    internal void Add(ServerConnection connection) => _all.Add(connection);

    internal void Remove(ServerConnection connection) => _all.Remove(connection);

    /// <summary>Ends all servers and spare children, and waits until they are gone.</summary>
    internal async Task EndAsync()
    {
        ServerConnection[] servers;
        IReadOnlyList<SpareChild> spares;
        Alarm? refill;
        lock (Gate)
        {
            IsEnded = true;
            (refill, Refill) = (Refill, null);
            servers = [.. _all];
            spares = Spares.Renew();
            Current = null;
            _spareCircumstances?.Dispose();
            _spareCircumstances = null;
        }
        refill?.Dispose(); // not under the gate, which its callback takes
        foreach (ServerConnection server in servers)
            server.Close();
        await Task.WhenAll([.. servers.Select(EndAsync), .. spares.Select(spare => spare.EndAsync(EndGrace))]).ConfigureAwait(false);
    }

    internal static async Task EndAsync(ServerConnection server)
    {
        try
        {
            await server.Gone.WaitAsync(EndGrace).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            server.Kill();
            await server.Gone.ConfigureAwait(false);
        }
    }
}
