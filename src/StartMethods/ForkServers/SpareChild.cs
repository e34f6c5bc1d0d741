using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkServers;

/// <summary>A child that was forked ahead: it has its channel, and the circumstances that most children get, and waits for what it is to do. If its channel closes, it ends.</summary>
internal sealed class SpareChild(ProcessLifetime process, FrameChannel channel, ChildStreams streams, SpareCircumstances given)
{
    internal ProcessLifetime Process => process;

    /// <summary>What it was given ahead.</summary>
    internal SpareCircumstances Given => given;

    /// <summary>Gives it what it is to be and to do; it is no spare any more.</summary>
    /// <param name="launch">The start.</param>
    /// <param name="circumstances">Null: those that it was given are the right ones.</param>
    /// <returns>False: it has died meanwhile.</returns>
    internal bool TryTell(ChildLaunch launch, FrameContent? circumstances)
    {
        if (!launch.TryTell(channel, circumstances is null ? streams : null, circumstances ?? Assignment.AsGiven))
            return false;
        if (circumstances is not null)
            streams.Dispose();
        return true;
    }

    internal void Close()
    {
        channel.Dispose();
        streams.Dispose();
    }

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
