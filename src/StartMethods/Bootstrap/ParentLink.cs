using StartMethods.Channels;

namespace StartMethods.Bootstrap;

/// <summary>
/// The child's ear: one thread that reads the channel while the body runs. A Cancel cancels the body's token; the end of the stream means that the
/// parent is gone, and then, unless it was detached, the child ends too: the body gets a moment to leave by its token, and no more.
/// </summary>
internal sealed class ParentLink
{
    private readonly FrameChannel _channel;
    private readonly SetupMessage _setup;
    private readonly bool _runHandlers;
    private readonly CancellationTokenSource _cancellation = new();
    private ListenerThread? _thread;

    internal ParentLink(FrameChannel channel, SetupMessage setup, bool runHandlers) => (_channel, _setup, _runHandlers) = (channel, setup, runHandlers);

    /// <summary>Cancelled when the parent asks for it, or is gone.</summary>
    internal CancellationToken Token => _cancellation.Token;

    /// <summary>The link of this process, while a body runs.</summary>
    internal static ParentLink? Current { get; private set; }

    /// <summary>Takes the frames of a conversation that the body leads; returns whether it keeps the frame. Called on the channel's thread.</summary>
    internal Func<Frame, bool>? UserFrame
    {
        get;
        set
        {
            field = value;
            if (value is not null)
                _thread?.Hurry();
        }
    }

    /// <summary>Sends a frame of a conversation that the body leads.</summary>
    internal void Send(in FrameContent content) => _channel.Send(content);

    internal void Start(bool isOfThisProcess = true)
    {
        Current = isOfThisProcess ? this : Current;
        _thread = ListenerThread.Start(Listen);
    }

    /// <summary>Waits until it has stopped listening, which it does only where the child is detached.</summary>
    internal void Join() => _thread?.Join();

    private void Listen()
    {
        try
        {
            while (_channel.Receive(out Frame? frame))
            {
                if (frame.Type == FrameType.Cancel)
                    Cancel();
                else if (frame.Type >= FrameType.User && UserFrame?.Invoke(frame) == true)
                    continue; // taken over
                frame.Dispose();
            }
        }
        catch (StartMethodException)
        {
            // A damaged channel is a parent that cannot be talked to: as good as gone.
        }
        if (_setup.Detached)
            return;
        Cancel();
        // The body may be inside code that never looks at its token, and so may a handler of its exit: each gets a bounded time.
        OrderlyExit.Never.Wait(_setup.ExitGrace);
        new Thread(() => OrderlyExit.Leave(ParentGoneCode, _runHandlers), maxStackSize: 256 * 1024) { IsBackground = true }.UnsafeStart();
        OrderlyExit.Never.Wait(HandlersLimit);
        OrderlyExit.End(ParentGoneCode);
    }

    private static readonly TimeSpan HandlersLimit = TimeSpan.FromMilliseconds(500);

    /// <summary>The exit code of a child that ends because its parent is gone; there is nobody left to see it but init.</summary>
    private const int ParentGoneCode = 1;

    private void Cancel()
    {
        // Callbacks of the token are the user's, and may block or throw: never on the thread that must notice the parent's end.
        ThreadPool.UnsafeQueueUserWorkItem(static source =>
        {
            try
            {
                source.Cancel();
            }
            catch (AggregateException e)
            {
                OrderlyExit.WriteError($"StartMethods: a callback of the cancelled token threw: {e}");
            }
        }, _cancellation, preferLocal: false);
    }
}
