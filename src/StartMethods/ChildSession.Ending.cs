using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods;

// How a child is made to end: asked by its token, then SIGTERM, then SIGKILL, each step after the grace time of its options.
internal sealed partial class ChildSession
{
    private Deadline? _startDeadline, _deadline, _stepDeadline, _lastWords;
    private Alarm? _exitAlarm;
    private EndCause? _cause;
    private CancellationToken _token;

    /// <summary>Ends the child because its caller cancelled; the token goes into the exception.</summary>
    internal void Cancel(CancellationToken token)
    {
        lock (_gate)
        {
            if (_cause is null)
                _token = token;
        }
        End(EndCause.Cancelled);
    }

    /// <summary>Ends the child, in steps. The first cause counts.</summary>
    internal void End(EndCause cause)
    {
        lock (_gate)
        {
            if (_exited || _cause is not null || (cause == EndCause.TimedOut && _stage == ChildStage.Exiting))
                return; // a deadline may be over while the answer is being read
            _cause = cause;
            if (cause == EndCause.NotUp)
                Signal(SignalNumber.Kill); // it has no runtime that could do anything in order
            else if (_job.TakesToken && _stage != ChildStage.Exiting)
                Ask();
            else
                Terminate();
        }
    }

    private void Ask()
    {
        _channel.Post(new FrameContent(FrameType.Cancel));
        Next(Terminate);
    }

    private void Terminate()
    {
        Signal(SignalNumber.Terminate);
        Next(() => Signal(SignalNumber.Kill));
    }

    private void Next(Action step)
    {
        _stepDeadline?.Dispose();
        _stepDeadline = Deadline.After(_options.Grace, () =>
        {
            lock (_gate)
            {
                if (!_exited)
                    step();
            }
        });
    }

    private void Signal(int signal)
    {
        try
        {
            Process.Lifetime.Signal(signal);
        }
        catch (StartMethodException)
        {
            // Not permitted: the child has changed its user. Its channel closes with this session, and it ends by that.
        }
    }

    // Why the answer is not what the child said; null where it is. Under the gate.
    private Exception? EndedBy() => _cause switch
    {
        EndCause.Cancelled => new OperationCanceledException($"child '{Name}' was cancelled", _token),
        EndCause.TimedOut => new ChildTimeoutException($"child '{Name}' (process {Process.Id}) took longer than ChildOptions.Timeout ({_options.Timeout}) and was ended") { Limit = _options.Timeout },
        EndCause.NotUp => new ChildTimeoutException(
            $"child '{Name}' (process {Process.Id}) had not reported that it is up after ChildOptions.StartTimeout ({_options.StartTimeout}) and was killed") { Limit = _options.StartTimeout },
        EndCause.Disposed => new OperationCanceledException($"child '{Name}' was disposed of before it answered"),
        _ => null,
    };
}

/// <summary>Why this side ends a child.</summary>
internal enum EndCause
{
    Cancelled,
    TimedOut,
    NotUp,
    Disposed,
}
