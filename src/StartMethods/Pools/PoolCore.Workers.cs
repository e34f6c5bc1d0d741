using StartMethods.Channels;

namespace StartMethods.Pools;

/// <content>How workers come and go.</content>
internal sealed partial class PoolCore
{
    private readonly Queue<PoolWorker> _toStart = new();
    private readonly List<WorkerLink> _toClose = []; // closed by the pool's thread, which may be waiting on their memory
    private readonly List<ChildStreams> _leftStreams = []; // of workers that have ended and left something behind that may still write
    private Thread? _starter;
    private int _workerNumber;

    private void Start(WorkerSlot slot)
    {
        while (_workers.Count <= slot.Index)
            _workers.Add(null);
        var worker = new PoolWorker(slot, $"{Name}-{++_workerNumber}");
        _workers[slot.Index] = worker;
        lock (_toStart)
        {
            _toStart.Enqueue(worker);
            Monitor.Pulse(_toStart);
        }
        // A thread of its own: a launch takes milliseconds and, in a start method of the user's own, any time. The thread lives as long as the pool, because
        // a child may be told of its parent's death when the thread that started it ends.
        if (_starter is not null)
            return;
        _starter = new Thread(StartWorkers, maxStackSize: 1 << 20) { Name = "StartMethods Pool Starter", IsBackground = true };
        _starter.UnsafeStart();
        StartLoop();
    }

    private void StartWorkers()
    {
        while (true)
        {
            PoolWorker? worker;
            lock (_toStart)
            {
                while (!_toStart.TryDequeue(out worker))
                {
                    if (_finished)
                        return;
                    Monitor.Wait(_toStart);
                }
            }
            Launch(worker);
        }
    }

    private void Launch(PoolWorker worker)
    {
        try
        {
            (WorkerLink link, ChildSession session) = _usesRings ? LaunchWithRings(worker) : LaunchWithFrames(worker);
            PoolTelemetry.Log.WorkerStarted(Name, worker.Name, session.Process.Id);
            Launched(worker, link, session);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            lock (_gate)
            {
                PoolTelemetry.Log.WorkerNotStarted(Name, e.Message);
                worker.Error = _startError = e;
                _workers[worker.Slot.Index] = null;
                _table.StartFailed(worker.Slot, Now);
                CarryOut();
            }
        }
    }

    private (WorkerLink, ChildSession) LaunchWithRings(PoolWorker worker)
    {
        var link = new RingLink(_waiter.Bells!, _options.MaxResultBytes);
        try
        {
            WorkerSetup setup = Setup();
            setup.Connection = link.Connection();
            ChildOptions options = ChildOptionsOf(worker);
            options.UserFrame = frame =>
            {
                if (frame.Type != FrameMessage.Handles || !link.TryKeep(frame))
                    Reported(worker, frame);
                else
                    _waiter.Poke(); // the answer may have been waiting for them
            };
            link.Session = new ChildSession(ChildJob.Of(WorkerBody.Run, setup), options);
            return (link, link.Session);
        }
        catch
        {
            link.Dispose();
            throw;
        }
    }

    private (WorkerLink, ChildSession) LaunchWithFrames(PoolWorker worker)
    {
        var link = new FrameLink(_waiter);
        ChildOptions options = ChildOptionsOf(worker);
        options.UserFrame = frame =>
        {
            if (frame.Type == FrameMessage.Event)
                Reported(worker, frame);
            else
                link.Received(frame);
        };
        link.Session = new ChildSession(ChildJob.Of(WorkerBody.Run, Setup()), options);
        return (link, link.Session);
    }

    private WorkerSetup Setup() => new()
    {
        Initializer = _options.Initializer, InitializerAsync = _options.InitializerAsync, Serializer = _options.Serializer, Pool = Name,
        MeasuresMemory = _options.MaxWorkerMemory is not null, MaxResultBytes = _options.MaxResultBytes,
        MaxSpinNanoseconds = (uint)Math.Min(_options.MaxSpin.TotalNanoseconds, 1e9), EventSources = [.. _options.EventSources],
    };

    private ChildOptions ChildOptionsOf(PoolWorker worker) => new()
    {
        Method = _options.Method, Name = worker.Name, Grace = _options.Grace, Serializer = _options.Serializer,
        OutputTaker = _options.Output is null ? null : new LineTaker(_output!, worker.Name, WorkerStream.Output),
        ErrorTaker = _options.Output is null ? null : new LineTaker(_output!, worker.Name, WorkerStream.Error),
    };

    /// <summary>A worker tells of an event. Called by whoever reads its channel; waits for nothing, and what the frame holds is looked at later.</summary>
    private void Reported(PoolWorker worker, Frame frame)
    {
        bool isReport = frame.Type == FrameMessage.Event && frame.LargeBuffers.Length == 0 && frame.Payload.Length <= EventReport.MaxBytes && _output is not null;
        if (isReport)
            _output!.Add(new EventReport(worker, frame.Payload), frame.Payload.Length);
        else
            worker.Signal(kill: true); // nothing that a worker says
        frame.Dispose();
    }

    private void Launched(PoolWorker worker, WorkerLink link, ChildSession session)
    {
        lock (_gate)
        {
            worker.Link = link;
            worker.Session = session;
            if (worker.KillWhenStarted)
                worker.Signal(kill: true);
            _waiter.Poke(); // there is one more to wait for
        }
        session.OnEnded = () => Ended(worker);
        Interlocked.MemoryBarrier(); // either it sees the handler when it ends, or its end is seen here
        if (session.Ended.IsCompleted)
            Ended(worker);
    }

    /// <summary>The process is gone and its last words were heard. Called by the reactor.</summary>
    private void Ended(PoolWorker worker)
    {
        lock (_gate)
        {
            if (worker.Link is not { } link || _workers[worker.Slot.Index] != worker)
                return; // both Launched and the reactor may have seen it
            Receive(worker); // what it answered before it died counts
            CarryOut();      // and what that leads to may still concern it
            _workers[worker.Slot.Index] = null;
            PoolTask? first = (PoolTask?)worker.Slot.Window.First;
            bool begun = first is not null && link.HasBegun(first);
            WorkerCrash crash = CrashOf(worker);
            if (begun)
                first!.Crash = crash;
            if (worker.Slot.Lease is PoolTask lease)
                lease.Crash = crash;
            if (worker.Slot.State == WorkerState.Starting && !worker.Slot.EndedByUs)
                _startError = worker.Error ?? crash.Cause ?? new StartMethodException($"worker '{worker.Name}' (process {worker.ProcessId}) ended before it was ready: {crash.Status}\n{crash.StandardError}");
            if (!worker.Slot.EndedByUs && worker.Slot.State != WorkerState.Stopping)
                PoolTelemetry.Log.WorkerEnded(Name, worker.Name, worker.ProcessId, crash.Status.ToString());
            _toClose.Add(link);
            _leftStreams.RemoveAll(static streams => !streams.IsTaken);
            if (worker.Session!.Streams.IsTaken)
                _leftStreams.Add(worker.Session.Streams);
            _table.Exited(worker.Slot, begun, Now);
            CarryOut();
            _waiter.Poke();
        }
    }

    private static WorkerCrash CrashOf(PoolWorker worker)
    {
        ExitStatus status = worker.Session!.Ended.Result;
        Exception? error = worker.Session.Answer.IsCompletedSuccessfully ? WhyItLeft(worker.Session.Answer.Result) : null;
        string told = error is ChildCrashedException { StandardError: { Length: > 0 } lines } ? lines : "";
        return new WorkerCrash(worker.Name, worker.ProcessId, status, told, worker.Error ?? (error is ChildCrashedException ? null : error));
    }

    // A worker whose own loop failed leaves in good order, as a child whose body threw: what it threw is what there is to know about its end.
    private static Exception? WhyItLeft(ChildAnswer answer)
    {
        if (!answer.IsFailure)
            return answer.Silence;
        try
        {
            answer.Read(typeof(void), null);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    /// <summary>Takes everything that a worker has said.</summary>
    private void Receive(PoolWorker worker)
    {
        try
        {
            while (worker.Link!.TryReceive(out WorkerMessage message))
                Receive(worker, message);
            if (_options.MaxWorkerMemory is not null && worker.Link.WorkerMemory is var bytes && _table.ReportMemory(worker.Slot, bytes, Now))
                PoolTelemetry.Log.WorkerRecycled(Name, worker.ProcessId, bytes);
        }
        catch (StartMethodException e)
        {
            worker.Error ??= e;
            _table.Distrust(worker.Slot);
        }
    }

    private void Receive(PoolWorker worker, in WorkerMessage message)
    {
        switch (message.Kind)
        {
            case WorkerMessageKind.Ready:
                _table.Ready(worker.Slot, Now);
                break;
            case WorkerMessageKind.InitializerFailed:
                using (message.Answer)
                    worker.Error = _startError = message.Answer!.ReadFailure();
                _initializerFailed = true;
                _table.InitializerFailed(Now);
                break;
            case WorkerMessageKind.Answer:
                var task = worker.Slot.Window.First as PoolTask;
                if (task is not null && task.Id == message.TaskId)
                    task.Answer = message.Answer;
                if (!_table.Finished(worker.Slot, message.TaskId, message.Answer!.Succeeded && !message.Answer.HasFailureBehind, Now))
                {
                    message.Answer.Dispose();
                    throw new Channels.ProtocolException($"worker '{worker.Name}' answered task {message.TaskId}, which it was not running");
                }
                NeedsFlush(worker); // there may be room now for what could not be written before
                break;
        }
    }
}
