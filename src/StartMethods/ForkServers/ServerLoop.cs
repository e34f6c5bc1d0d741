using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

/// <summary>
/// The body of a fork server, on its main thread and the only thread of ours: warm up, then fork a child for each request until the application is gone.
/// What a child is to do, and with what, goes past the server, over the child's own channel.
/// </summary>
internal sealed class ServerLoop
{
    private readonly MessageSocket _requests;
    private readonly ServerSetup _setup;
    private readonly byte[] _message = GC.AllocateArray<byte>(ServerMessages.MaxSize, pinned: true);
    private string _refusal = "";

    private ServerLoop(ServerSetup setup)
    {
        _setup = setup;
        _requests = new MessageSocket(new FileDescriptor((int)setup.Requests.DangerousGetHandle()));
        setup.Requests.SetHandleAsInvalid();
    }

    /// <summary>Returns null in the server, when the application is gone, and a <see cref="NextLife"/> in each child.</summary>
    /// <remarks>Throws what the preload threw: the application hears of it as of any body's exception.</remarks>
    internal static object? Run(ServerSetup setup) => new ServerLoop(setup).Run();

    private NextLife? Run()
    {
        ReadyMessage ready = ServerWarmUp.Run(_setup);
        _refusal = ready.Unsupported.Length > 0 ? ready.Unsupported : ready.Unsafe;
        try
        {
            _requests.Send(_message.AsSpan(0, ServerMessages.Write(_message, ready)), -1, wait: true);
            return Serve();
        }
        catch (PeerGoneException)
        {
            return null;
        }
    }

    private ForkedLife? Serve()
    {
        while (true)
        {
            ReceivedDescriptors received = default;
            int size = _requests.Receive(_message, ref received, wait: true);
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
                BodyRehearsal.Run(ServerMessages.ReadLearn(message));
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

    private bool _isChild;

    private ForkedLife? Fork(in ForkMessage request, FileDescriptor socket)
    {
        AtFork.Hook[] hooks;
        try
        {
            hooks = AtFork.RunBefore();
        }
        catch (Exception e)
        {
            Refuse(request.Id, NotPermitted, $"a before hook of AtFork, registered by the preload, threw: {e}");
            return null;
        }
        ServerFork fork = ServerFork.Now(asSibling: true, socket, _requests.Handle);
        if (fork.IsChild)
        {
            _isChild = true;
            ExitHandlers.Forget();
            AtFork.RunAfterInChild(hooks);
            return new ForkedLife(_requests, request, socket);
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
        return null;
    }

    private const int TooManyOpen = 24, NotPermitted = 1, Damaged = 71;

    private void Refuse(uint id, int errorNumber, string reason) =>
        _requests.Send(_message.AsSpan(0, ServerMessages.Write(_message, new RefusedMessage(id, errorNumber, reason))), -1, wait: true);
}
