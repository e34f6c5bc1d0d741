using Microsoft.Win32.SafeHandles;
using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.ForkServers;

/// <summary>
/// The application's side of one fork server process, from its start to its end. Requests may be made from any number of threads, and are answered in any order; what
/// the server says is heard on the reactor's thread.
/// </summary>
internal sealed partial class ServerConnection
{
    private readonly Lock _gate = new();
    private readonly Dictionary<uint, PendingFork> _pending = [];
    private readonly HashSet<Function> _learned = new(ReferenceEqualityComparer.Instance);
    private readonly ChildSession _session;
    private readonly MessageSocket _socket;
    private readonly SafeFileHandle _serverEnd, _birthMemory;
    private readonly BirthNote _births;
    private readonly byte[] _incoming = new byte[ServerMessages.MaxSize];
    private readonly TaskCompletionSource<ReadyMessage> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action<ServerConnection> _onDeath;
    private ReactorWatch? _watch;
    private uint _lastId;
    private int _judged;
    private bool _ended, _closing, _silent, _dying, _isDeaf;
    private string _how = "";

    private ServerConnection(ServerPlan plan, Action<ServerConnection> onDeath)
    {
        _onDeath = onDeath;
        (_socket, MessageSocket theirs) = MessageSocket.CreatePair();
        // Ours until the server is ready: while the frame that carries it may still be on its way, it must stay open.
        _serverEnd = new SafeFileHandle(theirs.Handle.DangerousGetHandle(), ownsHandle: true);
        theirs.Handle.SetHandleAsInvalid();
        (_birthMemory, _births) = (null!, null!);
        try
        {
            (_birthMemory, _births) = BirthNote.Create();
            ServerSetup setup = plan.Setup(_serverEnd, _birthMemory);
            _session = new ChildSession(ChildJob.Of(ServerLoop.Run, setup), plan.ChildOptions());
        }
        catch
        {
            _socket.Dispose();
            _births?.Dispose();
            DropWhatIsSent();
            throw;
        }
        Watch(Reactor.Shared.Watch(_socket.Handle, Listen));
        _session.OnEnded = Ended;
        if (_session.Ended.IsCompleted)
            Ended();
    }

    private void DropWhatIsSent()
    {
        _serverEnd.Dispose();
        _birthMemory?.Dispose();
    }

    // The end may have been heard before there was something to dispose.
    private void Watch(ReactorWatch watch)
    {
        lock (_gate)
        {
            _watch = watch;
            if (!_silent)
                return;
            _watch = null;
        }
        watch.Dispose();
    }

    /// <summary>Starts a server. It is not ready yet.</summary>
    /// <exception cref="PayloadException">The preload, or what it captured, cannot travel.</exception>
    /// <exception cref="StartMethodException">The process could not be started.</exception>
    internal static ServerConnection Start(ServerPlan plan, Action<ServerConnection> onDeath) => new(plan, onDeath);

    /// <summary>The server is warm; or fails with what its preload threw, or with how it died.</summary>
    internal Task<ReadyMessage> Ready => _ready.Task;

    /// <summary>The process has ended, and nothing is open or pending any more. Never fails.</summary>
    internal Task Gone => _gone.Task;

    internal int ProcessId => _session.Process.Id;

    /// <summary>Whether it can still be asked.</summary>
    internal bool IsAlive => !Volatile.Read(ref _ended) && !Volatile.Read(ref _closing) && !Volatile.Read(ref _silent) && !Volatile.Read(ref _dying);

    /// <summary>Whether it can be asked, and answers at once.</summary>
    internal bool IsReady => IsAlive && Ready.IsCompletedSuccessfully;

    /// <summary>Whether it is ready, and may fork a child that nobody has asked for: no thread of its preload does anything meanwhile, and no hook of it is run for that child.</summary>
    internal bool MayForkAhead => IsReady && Ready.Result is { Warning.Length: 0, HasHooks: false };

    /// <summary>Whether it has ever forked a child.</summary>
    internal bool HasServed { get; private set; }

    /// <summary>Whether its end was wanted.</summary>
    internal bool IsClosing => Volatile.Read(ref _closing);

    /// <summary>How it ended, for errors: "fork server 'x' (process 4711) died: killed by SIGKILL".</summary>
    internal string How => _how;

    /// <summary>Whether it was killed from outside before it was ready: another one may fare better, unlike one whose preload crashes.</summary>
    internal bool WasKilledEarly { get; private set; }

    /// <summary>Whether the end came from the preload: an exception of the user's.</summary>
    internal bool PreloadFailed { get; private set; }

    /// <summary>True once: whoever gets it passes on what the server had to say when it was ready.</summary>
    internal bool TakeWarnings() => Interlocked.Exchange(ref _judged, 1) == 0;

    /// <summary>Asks for a child that gets the descriptor, which stays the caller's.</summary>
    /// <param name="isSpare">Whether the descriptor is the socket on which it waits for its channel.</param>
    /// <param name="descriptor">An end of a socket pair.</param>
    /// <param name="completed">Called once, on the reactor's thread or on this one; quick, and without exceptions.</param>
    /// <returns>The number under which it can be abandoned; 0 if it is completed already.</returns>
    internal uint Fork(bool isSpare, int descriptor, Action<RequestOutcome> completed)
    {
        PendingFork pending = new(completed);
        uint id;
        Exception? failure = null;
        lock (_gate)
        {
            id = ++_lastId == 0 ? ++_lastId : _lastId;
            if (_ended || _closing || _silent)
                failure = new PeerGoneException();
            else
                _pending.Add(id, pending);
        }
        try
        {
            // Not under the gate: the reactor, which takes it, must never wait for a full socket. Messages of several threads do not mix.
            Span<byte> message = stackalloc byte[ServerMessages.HeaderSize + 8];
            if (failure is null && !_socket.Send(message[..ServerMessages.Write(message, new ForkMessage(id, isSpare, 0))], descriptor, wait: false))
                failure = new StartMethodException("the fork server does not take requests: more than it can hold are waiting already. Is it stopped (SIGSTOP), or starved?") { ErrorNumber = 11 };
        }
        catch (Exception e) when (e is StartMethodException or ObjectDisposedException)
        {
            failure = e;
        }
        if (failure is null)
            return id;
        // Its end is heard in a moment; until then nobody shall ask it again, and take its silence for the death of one more server.
        if (failure is PeerGoneException)
            Volatile.Write(ref _dying, true);
        lock (_gate)
        {
            // Not there any more: the death of the server was heard first, and has completed it.
            if (!_pending.Remove(id) && _ended && _silent)
                return 0;
        }
        completed(failure is PeerGoneException or ObjectDisposedException ? RequestOutcome.Lost(Death()) : RequestOutcome.Refused((failure as StartMethodException)!.ErrorNumber, failure.Message));
        return 0;
    }

    /// <summary>
    /// Tells the server which function a child was started for, when that is new to it, so that later children find it compiled. Waits for nothing, and is no
    /// promise: what the server has not learned, each child does itself.
    /// </summary>
    internal void Learn(Function function)
    {
        lock (_gate)
        {
            if (_learned.Count >= MostLearned || !_learned.Add(function) || _ended || _closing || _silent)
                return;
        }
        try
        {
            Span<byte> message = stackalloc byte[MaxLearnSize];
            int size = ServerMessages.WriteLearn(message, function.Definition);
            if (size > 0)
                _socket.Send(message[..size], -1, wait: false);
        }
        catch (Exception e) when (e is StartMethodException or ObjectDisposedException)
        {
            // Its end is heard elsewhere.
        }
    }

    // More functions than this are generated by something, and none of them comes again.
    private const int MostLearned = 1024, MaxLearnSize = 4096;

    /// <summary>Gives a request up. The child that may still come of it is ended as soon as it is known.</summary>
    internal void Abandon(uint id)
    {
        lock (_gate)
        {
            if (_pending.TryGetValue(id, out PendingFork? pending))
                pending.IsAbandoned = true;
        }
    }

    /// <summary>Ends the server: it sees the end of its socket, once all it was asked for is answered.</summary>
    internal void Close()
    {
        lock (_gate)
        {
            if (_closing)
                return;
            _closing = true;
            if (_pending.Count > 0)
                return; // the answer to the last one closes it
        }
        Hush();
    }

    internal void Kill()
    {
        Volatile.Write(ref _dying, true);
        _session.Process.Kill();
    }

    internal string Name => $"fork server '{_session.Name}' (process {_session.Process.Id})";
}
