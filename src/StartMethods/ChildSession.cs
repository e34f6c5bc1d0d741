using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Payloads;
using StartMethods.Spawning;

namespace StartMethods;

/// <summary>
/// The parent's side of one child, from its launch to its end. Driven by events on the reactor's thread (frames, the end of the channel, the end of the
/// process, deadlines) and by calls of the user (cancel); it needs no thread of its own and none of the thread pool.
/// </summary>
internal sealed partial class ChildSession
{
    private readonly Lock _gate = new();
    private readonly ChildOptions _options;
    private readonly ChildJob _job;
    private readonly SetupMessage _setup;
    private readonly FrameChannel _channel;
    private readonly ChildStreams _streams;
    private readonly TaskCompletionSource<ChildAnswer> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ExitStatus> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ChildStage _stage = ChildStage.Starting;
    private Exception? _protocolError;
    private bool _closed, _exited, _over, _isSpare;

    /// <summary>Starts the child. Returns when it runs, or throws with nothing left behind.</summary>
    internal ChildSession(ChildJob job, ChildOptions options)
    {
        (_job, _options) = (job, options);
        Method = options.Method ?? StartMethod.Default;
        Method.ThrowIfUnsupported();
        int depth = ChildContext.Depth + 1;
        if (depth > options.MaxDepth)
            throw new StartMethodException($"children have started children {ChildContext.Depth} deep, and ChildOptions.MaxDepth is {options.MaxDepth}: is a body, or code that each child runs at its start, starting itself again?");
        _setup = new SetupMessage
        {
            Name = options.Name ?? $"child-{Interlocked.Increment(ref s_lastNumber)}", MethodName = Method.Name, ParentId = Environment.ProcessId, Depth = depth,
            Detached = options.Detached, OwnsChannel = options.OwnsChannel, ExitGrace = ParentGoneGrace, MaxResultBytes = options.MaxResultBytes,
        };
        ChildLaunch launch = new(job, options, _setup);
        try
        {
            if (Method is not ForkServer)
                launch.Open(); // where there is no room for it, nothing else is begun
            Process = Method.Launch(launch) ?? throw new StartMethodException($"the start method '{Method.Name}' returned no process");
            (_channel, _streams) = (launch.Channel, launch.Streams);
            Begin(launch);
            launch.CloseEnd();
        }
        catch
        {
            launch.Abandon();
            throw;
        }
    }

    private static int s_lastNumber;

    /// <summary>How long the body of a child whose parent is gone may go on.</summary>
    private static readonly TimeSpan ParentGoneGrace = TimeSpan.FromSeconds(1);

    internal StartMethod Method { get; }

    internal SpawnedProcess Process { get; }

    internal string Name => _setup.Name;

    internal ChildStreams Streams => _streams;

    /// <summary>Whether it was forked ahead.</summary>
    internal bool IsSpare => _isSpare;

    /// <summary>What the child answered, or why it did not. Never fails.</summary>
    internal Task<ChildAnswer> Answer => _answer.Task;

    /// <summary>Completes when the process has ended, was reaped, and everything that it said has been heard. Never fails.</summary>
    internal Task<ExitStatus> Ended => _ended.Task;

    /// <summary>Called once, when the process has ended; on any thread.</summary>
    internal Action? OnEnded { get; set; }

    /// <summary>Sends a frame of a conversation that the body leads.</summary>
    internal void Post(in FrameContent content) => _channel.Post(content);

    private void Begin(ChildLaunch launch)
    {
        _streams.CloseChildEnds();
        _streams.Relay?.Start(Process.Id, Process.StandardError);
        _streams.OutputRelay?.Start(Process.Id, Process.StandardOutput);
        if (launch.Told is { } spare)
        {
            _isSpare = true;
            spare.Listen(Received, Closed);
        }
        else
        {
            if (launch.IsEncoded)
                launch.Tell();
            _channel.Listen(Received, Closed);
        }
        lock (_gate)
        {
            if (_stage == ChildStage.Starting && !_closed)
                _startDeadline = Deadline.After(_options.StartTimeout, () => End(EndCause.NotUp));
            if (_stage != ChildStage.Exiting && !_closed)
                _deadline = Deadline.After(_options.Timeout, () => End(EndCause.TimedOut));
            if (_isSpare && _stage != ChildStage.Exiting && !_closed && _deadline is null)
                _exitAlarm = new Alarm(() => Signal(SignalNumber.Kill)); // while the child wakes up: the answer will be waited for
        }
        Process.Lifetime.Exited.ContinueWith(_ => Exited(), CancellationToken.None, TaskContinuationOptions.None, CompletingThread.Scheduler);
    }

    /// <summary>
    /// For a thread that blocks until there is an answer: where the child was forked ahead, and so may answer at once, this thread reads it itself. It may have
    /// come then, or not.
    /// </summary>
    internal void ReadAnswerHere()
    {
        if (_isSpare)
            _channel.ReadHere(_answer.Task, SpareMicroseconds);
    }

    // A spare child that has nothing to do but to answer takes half of it.
    private const int SpareMicroseconds = 150;

    private void Received(Frame frame)
    {
        Deadline? over = null;
        lock (_gate)
        {
            switch (frame.Type, _stage)
            {
                case (FrameType.Hello, ChildStage.Starting):
                    (over, _startDeadline) = (_startDeadline, null);
                    _stage = ChildStage.Receiving;
                    if (HelloMessage.Check(frame.Payload.Span) is { } wrong)
                        Distrust(new StartMethodException(wrong));
                    break;
                case (FrameType.Started, ChildStage.Receiving):
                    _stage = ChildStage.Running;
                    return;
                case (FrameType.Result, ChildStage.Running):
                case (FrameType.Failure, ChildStage.Running or ChildStage.Receiving):
                    _stage = ChildStage.Exiting;
                    Conclude(new ChildAnswer(frame, EndedBy())); // first of all: somebody may be waiting for just that
                    // Handlers of its exit may hang: the answer is here, and nothing may be left behind.
                    if (_exitAlarm is not null)
                    {
                        _exitAlarm.Set(_options.Grace);
                        break;
                    }
                    over = _deadline;
                    _deadline = Deadline.After(_options.Grace, () => Signal(SignalNumber.Kill));
                    break;
                case (>= FrameType.User, ChildStage.Running or ChildStage.Exiting) when _options.UserFrame is { } received:
                    received(frame);
                    return;
                default:
                    Distrust(new ProtocolException($"child '{Name}' sent a {frame.Type} frame while it was {_stage}"));
                    frame.Dispose();
                    return;
            }
        }
        over?.Dispose(); // not under the gate: its callback may be waiting for that
    }

    private void Closed(Exception? error)
    {
        bool over;
        // Asked before the gate is taken: where the answer is yes, this very call may be the one that tells everybody.
        bool isDamaged = error is ProtocolException && !Process.HasExited;
        lock (_gate)
        {
            _closed = true;
            if (isDamaged && _stage != ChildStage.Exiting)
                Distrust(error!);
            over = IsOver();
        }
        if (over)
            Finish();
    }

    /// <summary>What came from the child cannot be relied on: it is killed, and the error is what its start or its answer fails with.</summary>
    private void Distrust(Exception error)
    {
        _protocolError ??= error;
        Signal(SignalNumber.Kill);
    }

    private void Exited()
    {
        bool over;
        lock (_gate)
        {
            _exited = true;
            // A descriptor of the channel may live on in a process that native code in the child has forked: then no end of the stream will come, but
            // all that the child itself has said is here already.
            if (!_closed)
                _lastWords = Deadline.After(LastWords, () => Closed(null));
            over = IsOver();
        }
        if (over)
            Finish();
    }

    private static readonly TimeSpan LastWords = TimeSpan.FromMilliseconds(200);

    // Under the gate. All has been heard and the process has ended: without an answer, that is the answer.
    private bool IsOver()
    {
        if (!_closed || !_exited || _over)
            return false;
        _over = true;
        _streams.Relay?.Drain();
        _streams.OutputRelay?.Drain();
        if (!_answer.Task.IsCompleted)
        {
            Exception silence = _protocolError is StartMethodException and not ProtocolException
                ? _protocolError
                : ChildCrashedException.Create(Name, Process.Id, Process.Lifetime.Exited.Result, _stage, _streams.Relay?.Tail() ?? "", _protocolError);
            Conclude(new ChildAnswer(silence, EndedBy()));
        }
        return true;
    }

    // Not under the gate: what is disposed of here waits for its callback, and that may be waiting for the gate.
    private void Finish()
    {
        _startDeadline?.Dispose();
        _exitAlarm?.Dispose();
        _deadline?.Dispose();
        _stepDeadline?.Dispose();
        _lastWords?.Dispose();
        _channel.Dispose();
        _ended.TrySetResult(Process.Lifetime.Exited.Result);
        OnEnded?.Invoke();
    }

    private void Conclude(ChildAnswer answer)
    {
        if (!_answer.TrySetResult(answer))
            answer.Dispose();
    }
}
