using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Threads;

namespace StartMethods.ForkServers;

/// <summary>
/// The body of a fork server, on its main thread and the only thread of ours: warm up, then fork a child for each request until the application is gone.
/// What a child is to do, and with what, goes past the server, over the child's own channel.
/// </summary>
internal sealed class ServerLoop
{
    private readonly MessageSocket _requests;
    private readonly byte[] _message = GC.AllocateArray<byte>(ServerMessages.MaxSize, pinned: true);
    private string _refusal = "";
    private readonly nint _birth;
    private readonly FileDescriptor[] _kept; // the child's socket, and the server's
    private uint _forks, _collected;
    private bool _isChild, _isRehearsal, _isUntidy, _poolRests, _hugePages, _wantsToTidyUp;

    private ServerLoop(MessageSocket requests, nint birth = 0)
    {
        _requests = requests;
        _birth = birth;
        _kept = [requests.Handle, requests.Handle];
    }

    /// <summary>Returns null in the server, when the application is gone, and a <see cref="NextLife"/> in each child.</summary>
    /// <remarks>Throws what the preload threw: the application hears of it as of any body's exception.</remarks>
    internal static object? Run(ServerSetup setup)
    {
        ServerLoop loop = new(new MessageSocket(new FileDescriptor((int)setup.Requests.DangerousGetHandle())), BirthNote.Open(setup.Births));
        setup.Requests.SetHandleAsInvalid();
        setup.Births.Dispose();
        return loop.Begin(setup);
    }

    /// <summary>Does what is done for a request, on both sides of the fork, without the fork: what a child returns with.</summary>
    /// <param name="requests">Where the server would answer.</param>
    /// <param name="isSpare">Which kind of child.</param>
    /// <param name="socket">What came with the request. It belongs to the child then.</param>
    internal static ForkedLife Rehearse(MessageSocket requests, bool isSpare, FileDescriptor socket)
    {
        Span<byte> message = stackalloc byte[ServerMessages.HeaderSize + 8];
        int size = ServerMessages.Write(message, new ForkMessage(1, isSpare, 0));
        ReceivedDescriptors received = new(1, socket.Number, Lost: false);
        socket.SetHandleAsInvalid();
        return new ServerLoop(requests) { _isRehearsal = true }.Answer(message[..size], received)!;
    }

    private NextLife? Begin(ServerSetup setup)
    {
        ReadyMessage ready = ServerWarmUp.Run(setup);
        _hugePages = setup.HugePages;
        _refusal = ready.Unsupported.Length > 0 ? ready.Unsupported : ready.Unsafe;
        Hold();
        try
        {
            _requests.Send(_message.AsSpan(0, ServerMessages.Write(_message, ready)), -1, wait: true);
            return Serve();
        }
        catch (PeerGoneException)
        {
            return null;
        }
        finally
        {
            _ = Native.ForkLetGo(); // the runtime's end needs its threads
        }
    }

    private ForkedLife? Serve()
    {
        while (true)
        {
            int held = Native.ForkHoldUntil(_requests.Handle.Number, Patience, _wantsToTidyUp ? IdleTime : -1);
            if (held == Idle)
            {
                TidyUp();
                continue;
            }
            ReceivedDescriptors received = default;
            int size = _requests.Receive(_message, ref received, wait: true);
            if (held == 0)
                _poolRests = DoesPoolRest();
            if (size == 0)
                return null;
            if (Answer(_message.AsSpan(0, size), received) is { } child)
                return child;
        }
    }

    // A request never ends the server: what is wrong with it is its answer.
    private ForkedLife? Answer(ReadOnlySpan<byte> message, ReceivedDescriptors received)
    {
        FileDescriptor socket = new(received.First);
        try
        {
            if (received.Lost)
            {
                Refuse(ServerMessages.IdOf(message), TooManyOpen, "the fork server has too many open files to take another (RLIMIT_NOFILE)");
                return null;
            }
            ServerMessageKind kind = ServerMessages.Check(message, received.Count);
            if (kind == ServerMessageKind.Learn)
            {
                _ = Native.ForkLetGo();
                BodyRehearsal.Run(ServerMessages.ReadLearn(message));
                Hold();
                return null;
            }
            if (kind != ServerMessageKind.Fork)
                throw new ProtocolException("only the server sends this");
            ForkMessage request = ServerMessages.ReadFork(message);
            if (_refusal.Length > 0)
            {
                Refuse(request.Id, NotPermitted, _refusal);
                return null;
            }
            return Fork(request, socket);
        }
        catch (ProtocolException e)
        {
            Refuse(message.Length >= ServerMessages.HeaderSize ? ServerMessages.IdOf(message) : 0, Damaged, $"the request cannot be understood: {e.Message}");
            return null;
        }
        finally
        {
            if (!_isChild)
                socket.Dispose();
        }
    }

    private ForkedLife? Fork(in ForkMessage request, FileDescriptor socket)
    {
        // The child would end without a word to anybody: it needs some before it has a channel.
        if (Native.HasRoomFor(ChildNeeds) == 0)
        {
            Refuse(request.Id, TooManyOpen, $"the fork server has fewer than {ChildNeeds} descriptors left, too few for a child to become one (EMFILE, by RLIMIT_NOFILE)");
            return null;
        }
        AtFork.Hook[] hooks;
        try
        {
            hooks = _isRehearsal ? [] : AtFork.RunBefore();
        }
        catch (Exception e)
        {
            Refuse(request.Id, NotPermitted, $"a before hook of AtFork, registered by the preload, threw: {e}");
            return null;
        }
        nint birth = _isRehearsal ? 0 : BirthNote.Expect(_birth, request.Id);
        _kept[0] = socket;
        ServerFork fork = ServerFork.Now(asSibling: true, _isRehearsal, holds: hooks.Length == 0 && _poolRests, isDormant: !request.IsSpare, birth, _kept);
        if (fork.IsChild)
        {
            _isChild = true;
            _requests.Dispose();
            ExitHandlers.Forget(isRehearsal: _isRehearsal);
            AtFork.RunAfterInChild(hooks);
            return new ForkedLife(request, socket, _isRehearsal);
        }
        AtFork.RunAfterInParent(hooks);
        if (fork.ErrorNumber != 0)
        {
            Refuse(request.Id, fork.ErrorNumber, fork.Reason);
            return null;
        }
        using FileDescriptor? pidfd = fork.Pidfd is { IsInvalid: false } valid ? valid : null;
        ForkedMessage answer = new(request.Id, fork.ProcessId, pidfd is null ? -1 : 0);
        _requests.Send(_message.AsSpan(0, ServerMessages.Write(_message, answer)), pidfd?.Number ?? -1, wait: true);
        _forks++;
        CollectAfter(ForksBetweenCollections);
        _wantsToTidyUp = _isUntidy || _forks - _collected >= WorthCollecting;
        return null;
    }

    private const uint WorthCollecting = 1024, ForksBetweenCollections = 65536;

    private const int IdleTime = 20, Idle = 2;

    // Two pipes of the runtime's and what stands for sockets are made before old ones are closed; directory and standard descriptors come over the channel. A few for the runtime.
    private const int ChildNeeds = 10;

    // While nobody waits for it: a collection writes here and there, and what children share cannot go back to huge pages.
    private void TidyUp()
    {
        CollectAfter(WorthCollecting);
        Consolidate();
        _wantsToTidyUp = false; // once in a pause
    }

    private void CollectAfter(uint forks)
    {
        if (_forks - _collected < forks)
            return;
        ServerWarmUp.CollectYoungest();
        _collected = _forks;
    }

    private void Consolidate() => _isUntidy = _hugePages && Native.ForkConsolidate() == -TryAgain;

    // The runtime's threads have nothing to do in a server that waits. One of them would find something: the one that optimizes code has each method that was called count its calls, once none has been
    // called for the first time for 0.1 s; and each child would write to those counters, which are pages of its own then.
    // Not where there are hooks: those that run before a fork may wait for a task or a finalizer.
    private void Hold()
    {
        Consolidate();
        _wantsToTidyUp = _isUntidy;
        _poolRests = DoesPoolRest();
        if (LeftThreads.None && AtFork.Count == 0 && _poolRests)
            _ = Native.ForkHold();
    }

    // A worker of the pool that sleeps or reads in the midst of a task of the preload's is parked like one that has nothing to do, and would stay where it is. The pool is asked
    // only when its workers have been free since: asking allocates.
    private static bool DoesPoolRest() => ThreadPool.ThreadCount == 0 || PoolActivity.BusyWorkers() == 0;

    // How long the server's threads stay parked when no request comes and one of them has timers, sockets, files or handles to look after, in milliseconds.
    private const int Patience = 50;

    private const int TooManyOpen = 24, NotPermitted = 1, Damaged = 71, TryAgain = 11;

    private void Refuse(uint id, int errorNumber, string reason) =>
        _requests.Send(_message.AsSpan(0, ServerMessages.Write(_message, new RefusedMessage(id, errorNumber, reason))), -1, wait: true);
}
