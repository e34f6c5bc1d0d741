using System.Runtime.ExceptionServices;
using StartMethods.Channels;
using StartMethods.Spawning;

namespace StartMethods.ForkServers;

/// <summary>What a <see cref="ForkServer"/> has at hand in one process: its server, its spare children, its breaker.</summary>
internal sealed class ServerState(ServerPlan plan, int spareChildren)
{
    private static readonly TimeSpan EndGrace = TimeSpan.FromSeconds(2);
    private readonly List<ServerConnection> _all = [];
    private readonly List<Task> _late = [];

    internal Lock Gate { get; } = new();

    internal int ProcessId { get; } = Environment.ProcessId;

    // Everything below under the gate.
    internal ServerPlan Plan { get; set; } = plan;

    internal ServerConnection? Current { get; set; }

    internal ServerBreaker Breaker { get; } = new(TimeProvider.System);

    internal SpareTable<SpareChild> Spares { get; } = new(spareChildren);

    /// <summary>The next child, where starts follow one another.</summary>
    internal SpareTable<ChildAhead> Ahead { get; } = new(1);

    internal Succession Succession { get; } = new(TimeProvider.System);

    /// <summary>Ends a child that was forked ahead and that nobody takes. It is there as long as one waits, and until it has seen that none does.</summary>
    internal Alarm? Expiry { get; set; }

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
        IEnumerable<ChildAhead> waiting;
        Alarm? refill, expiry;
        lock (Gate)
        {
            IsEnded = true;
            (refill, Refill) = (Refill, null);
            (expiry, Expiry) = (Expiry, null);
            servers = [.. _all];
            waiting = RenewWaiting();
            Current = null;
            _spareCircumstances?.Dispose();
            _spareCircumstances = null;
        }
        refill?.Dispose(); // not under the gate, which its callback takes
        expiry?.Dispose();
        foreach (ServerConnection server in servers)
            server.Close();
        await Task.WhenAll([.. servers.Select(EndAsync), .. waiting.Select(child => child.EndAsync(EndGrace))]).ConfigureAwait(false);
        Task[] late;
        lock (Gate)
            late = [.. _late]; // all that the servers have said was heard before they were gone
        await Task.WhenAll(late).ConfigureAwait(false);
    }

    /// <summary>A child that has come when it is not wanted any more sees that and ends. Who ends all of it waits for that too.</summary>
    internal void EndLate(ProcessLifetime? child, FrameChannel channel)
    {
        channel.Dispose();
        if (child is null)
            return;
        lock (Gate)
        {
            if (IsEnded)
                _late.Add(new ChildAhead(child, channel).EndAsync(EndGrace));
        }
    }

    /// <summary>Under the gate: a newer image, or none. The children that wait are handed back to be ended.</summary>
    internal IEnumerable<ChildAhead> RenewWaiting() => [.. Spares.Renew(), .. Ahead.Renew()];

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
