using Microsoft.Win32.SafeHandles;
using StartMethods;

namespace PreforkWeb;

/// <summary>Keeps so many workers running, each in its slot.</summary>
internal sealed class Workers(SafeFileHandle socket, int count) : IAsyncDisposable
{
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(1);

    private readonly ForkServer _server = new(new ForkServerOptions { Name = "prefork", PreloadAsync = Site.WarmUpAsync });
    private readonly ChildProcess?[] _slots = new ChildProcess?[count];
    private volatile bool _stopping;

    internal async Task StartAsync()
    {
        for (int slot = 0; slot < count; slot++)
            await FillAsync(slot, null);
    }

    /// <summary>Each slot gets its new worker before its old one is asked to leave. If new ones cannot be started, the old ones stay.</summary>
    internal async Task RestartAsync()
    {
        try
        {
            await _server.RefreshAsync();
            for (int slot = 0; slot < count; slot++)
            {
                ChildProcess? old = _slots[slot];
                if (await FillAsync(slot, old) && old is not null)
                    await LeaveAsync(old);
            }
            Console.WriteLine("restarted");
        }
        catch (Exception e)
        {
            Console.Error.WriteLine($"not restarted: {e.Message}");
        }
    }

    internal async Task StopAsync()
    {
        _stopping = true;
        await Task.WhenAll(_slots.OfType<ChildProcess>().Select(LeaveAsync));
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private static async Task LeaveAsync(ChildProcess worker)
    {
        worker.Cancel();
        Console.WriteLine($"{worker}: {await worker.WaitForExitAsync()}");
    }

    /// <summary>Starts a worker and puts it where another one was; false if somebody else has done so meanwhile.</summary>
    private async Task<bool> FillAsync(int slot, ChildProcess? instead)
    {
        ChildOptions options = new() { Method = _server, Name = $"worker {slot}", StandardOutput = SpawnStdio.Pipe, Grace = TimeSpan.FromSeconds(30) };
        ChildProcess worker = ChildProcess.Start(Worker.RunAsync, socket, options);
        StreamReader output = new(worker.StandardOutput!);
        while (await output.ReadLineAsync() is var line && line != Worker.Ready)
            Console.WriteLine($"{worker}: {line ?? throw new InvalidOperationException($"{worker} ended before it was ready: {await worker.WaitForExitAsync()}")}");
        bool filled = !_stopping && Interlocked.CompareExchange(ref _slots[slot], worker, instead) == instead;
        if (!filled)
            worker.Cancel();
        else
            Console.WriteLine($"{worker}: ready");
        _ = WatchAsync(slot, worker, output);
        return filled;
    }

    /// <summary>Passes on what the worker prints; when it has ended without being asked to, it is replaced.</summary>
    private async Task WatchAsync(int slot, ChildProcess worker, StreamReader output)
    {
        using (output)
        {
            while (await output.ReadLineAsync() is { } line)
                Console.WriteLine($"{worker}: {line}");
        }
        ExitStatus status = await worker.WaitForExitAsync();
        while (!_stopping && _slots[slot] == worker)
        {
            Console.WriteLine($"{worker}: {status}, is replaced");
            try
            {
                await FillAsync(slot, worker);
            }
            catch (Exception e)
            {
                Console.Error.WriteLine($"worker {slot} could not be replaced: {e.Message}");
                await Task.Delay(PauseAfterFailure);
            }
        }
    }
}
