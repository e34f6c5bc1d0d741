using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkServers;

/// <summary>A child that was forked ahead and waits for its channel on a socket of its own. If that socket closes, it ends.</summary>
internal sealed class SpareChild(ProcessLifetime process, MessageSocket control)
{
    internal ProcessLifetime Process => process;

    /// <summary>Gives it the channel; it is no spare any more.</summary>
    /// <returns>False: it has died meanwhile.</returns>
    internal bool Assign(int channel)
    {
        Span<byte> message = stackalloc byte[ServerMessages.HeaderSize];
        try
        {
            return control.Send(message[..ServerMessages.Write(message, new AssignedMessage(0))], channel, wait: false);
        }
        catch (PeerGoneException)
        {
            return false;
        }
        finally
        {
            control.Dispose();
        }
    }

    internal void Close() => control.Dispose();

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
