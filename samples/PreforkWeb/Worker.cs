using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PreforkWeb;

/// <summary>One worker: a forked process that accepts on the inherited socket until it is told to stop.</summary>
internal static class Worker
{
    internal const string Ready = "ready";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    internal static async Task RunAsync(SafeFileHandle socket, CancellationToken stop)
    {
        // A terminal sends these to every process of its group, and the parent to those it means.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, static context => context.Cancel = true);
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, static context => context.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, static context => context.Cancel = true);
        Draining draining = new();
        await using WebApplication app = await Site.StartAsync(options => options.ListenHandle((ulong)socket.DangerousGetHandle(), draining.Watch), draining);
        Console.WriteLine(Ready);
        await Task.Delay(Timeout.InfiniteTimeSpan, stop).ContinueWith(static _ => { }, TaskScheduler.Default);
        await draining.RunAsync(Patience);
        await app.StopAsync(CancellationToken.None);
    }
}
