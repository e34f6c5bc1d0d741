using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods;

/// <summary>What it took to stop a program.</summary>
public enum StopOutcome
{
    /// <summary>It had ended before.</summary>
    AlreadyExited,

    /// <summary>It ended within the grace time after SIGTERM.</summary>
    Terminated,

    /// <summary>It had to be killed.</summary>
    Killed,
}

public sealed partial class SpawnedProcess
{
    /// <summary>Asks the program to end (SIGTERM), and kills it (SIGKILL) if it has not ended after the grace time.</summary>
    /// <param name="grace">How long it may take to end by itself; zero kills at once.</param>
    /// <param name="cancellationToken">Cuts the grace time short: the program is killed at once.</param>
    /// <returns>Which step worked. The program has ended and was reaped.</returns>
    public async Task<StopOutcome> StopAsync(TimeSpan grace, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(grace, TimeSpan.Zero);
        if (HasExited)
            return StopOutcome.AlreadyExited;
        if (grace > TimeSpan.Zero && !cancellationToken.IsCancellationRequested)
        {
            Terminate();
            try
            {
                await Lifetime.Exited.WaitAsync(grace, cancellationToken).ConfigureAwait(false);
                return StopOutcome.Terminated;
            }
            catch (Exception e) when (e is TimeoutException or OperationCanceledException)
            {
                // It did not listen in time: the next step.
            }
        }
        bool killed = Lifetime.Signal(SignalNumber.Kill);
        await Lifetime.Exited.ConfigureAwait(false);
        return killed ? StopOutcome.Killed : StopOutcome.Terminated;
    }

    /// <summary>
    /// Kills the program and all its descendants that can be found: each is stopped before its children are looked for, so that none is born
    /// meanwhile. A descendant whose own parent has ended before is found only if it is in the program's process group. Linux; elsewhere as
    /// <see cref="System.Diagnostics.Process.Kill(bool)"/>.
    /// </summary>
    public void KillTree() => ProcessTree.Kill(Lifetime);

    /// <summary>Closes the streams, and stops the program if it still runs: SIGTERM, then SIGKILL after <see cref="SpawnInfo.StopGrace"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        if (StandardInput is not null)
            await StandardInput.DisposeAsync().ConfigureAwait(false);
        await StopAsync(_stopGrace).ConfigureAwait(false);
        if (StandardOutput is not null)
            await StandardOutput.DisposeAsync().ConfigureAwait(false);
        if (StandardError is not null)
            await StandardError.DisposeAsync().ConfigureAwait(false);
    }
}
