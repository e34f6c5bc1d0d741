using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkServers;

/// <summary>A child that was forked before it was asked for. It waits on its channel; if that closes, it ends.</summary>
internal class ChildAhead(ProcessLifetime process, FrameChannel channel)
{
    internal ProcessLifetime Process => process;

    internal FrameChannel Channel => channel;

    /// <summary>It is not needed: it sees that, and ends, and is reaped.</summary>
    internal virtual void Close() => channel.Dispose();

    internal async Task EndAsync(TimeSpan grace)
    {
        Close();
        try
        {
            await process.Exited.WaitAsync(grace).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            process.Signal(SignalNumber.Kill);
            await process.Exited.ConfigureAwait(false);
        }
    }
}
