using StartMethods.Spawning;

namespace StartMethods;

public sealed partial class SpawnedProcess
{
    /// <summary>Runs a program to its end and collects its output. It gets no input unless the options give some. Python's <c>subprocess.run</c>.</summary>
    /// <inheritdoc cref="RunAsync(SpawnInfo, SpawnRunOptions?, CancellationToken)"/>
    public static Task<SpawnOutput> RunAsync(
        string fileName, IEnumerable<string> arguments, SpawnRunOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(new SpawnInfo(fileName, arguments) { StandardInput = SpawnStdio.Null }, options, cancellationToken);

    /// <summary>
    /// Runs a program to its end and collects its output: standard output and standard error are captured where the description leaves them at
    /// <see cref="SpawnStdio.Inherit"/>. All pipes are served at once, so that none that is full blocks the program. The run is over when the program has
    /// ended, even if a descendant keeps a pipe open (see <see cref="SpawnRunOptions.DrainGrace"/>).
    /// </summary>
    /// <exception cref="SpawnException">The program could not be started.</exception>
    /// <exception cref="SpawnTimeoutException">It ran too long, and was killed with its descendants; holds what it had written.</exception>
    /// <exception cref="ProgramFailedException">It failed, and <see cref="SpawnRunOptions.Check"/> is set.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the program was killed with its descendants.</exception>
    public static async Task<SpawnOutput> RunAsync(SpawnInfo info, SpawnRunOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(info);
        options ??= new SpawnRunOptions();
        ArgumentOutOfRangeException.ThrowIfNegative(options.OutputLimit, nameof(SpawnRunOptions.OutputLimit));
        cancellationToken.ThrowIfCancellationRequested();
        ReadOnlyMemory<byte>? input = options.InputText is { } text ? options.Encoding.GetBytes(text) : options.Input;
        StandardStreams streams = new(
            input is null ? info.StandardInput : SpawnStdio.Pipe,
            Captured(info.StandardOutput),
            Captured(info.StandardError));

        SpawnedProcess process = Start(info, streams);
        await using (process.ConfigureAwait(false))
        {
            OutputCapture output = new(options.OutputLimit), error = new(options.OutputLimit);
            using CancellationTokenSource drained = new();
            Task pipes = Task.WhenAll(
                FeedAsync(process.StandardInput, input ?? default, drained.Token),
                output.ReadAsync(process.StandardOutput, drained.Token),
                error.ReadAsync(process.StandardError, drained.Token));
            Ending ending = await process.EndsAsync(options.Timeout, cancellationToken).ConfigureAwait(false);
            await FinishAsync(pipes, drained, options.DrainGrace).ConfigureAwait(false);

            SpawnOutput result = new(info.FileName, process.ExitStatus!.Value, process.Usage, output, error, options.Encoding);
            if (ending == Ending.TimedOut)
                throw new SpawnTimeoutException(info.FileName, options.Timeout!.Value, result);
            if (ending == Ending.Cancelled)
                throw new OperationCanceledException(cancellationToken);
            return options.Check ? result.EnsureSuccess() : result;
        }
    }

    private static SpawnStdio Captured(SpawnStdio stdio) => stdio.Kind == SpawnStdio.Target.Inherit ? SpawnStdio.Pipe : stdio;

    private enum Ending { ByItself, TimedOut, Cancelled }

    // Waits for the end; kills the program where the time is over or the wait was cancelled.
    private async Task<Ending> EndsAsync(TimeSpan? timeout, CancellationToken cancellationToken)
    {
        try
        {
            await Lifetime.Exited.WaitAsync(timeout ?? Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);
            return Ending.ByItself;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            KillTree();
            await Lifetime.Exited.ConfigureAwait(false);
            return e is TimeoutException ? Ending.TimedOut : Ending.Cancelled;
        }
    }

    private static async Task FinishAsync(Task pipes, CancellationTokenSource drained, TimeSpan grace)
    {
        try
        {
            await pipes.WaitAsync(grace).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            await drained.CancelAsync().ConfigureAwait(false);
            await pipes.ConfigureAwait(false);
        }
    }

    private static async Task FeedAsync(Stream? stream, ReadOnlyMemory<byte> input, CancellationToken cancellationToken)
    {
        if (stream is null)
            return;
        try
        {
            await stream.WriteAsync(input, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // A program need not read all its input, and what it read is its own affair.
        }
        await stream.DisposeAsync().ConfigureAwait(false);
    }
}
