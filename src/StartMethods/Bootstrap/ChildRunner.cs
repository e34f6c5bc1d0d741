using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.Bootstrap;

/// <summary>The life of a child from the moment it has its channel: greet, read the job, run it, answer, leave. Nothing here returns to a caller.</summary>
internal sealed class ChildRunner
{
    private readonly FrameChannel _channel;
    private readonly bool _isCopy;
    private SetupMessage? _setup;
    private NextLife? _life, _next;
    private ParentLink? _link;
    private bool _isRehearsal, _hasGreeted;

    private ChildRunner(FrameChannel channel, bool isCopy) => (_channel, _isCopy) = (channel, isCopy);

    /// <summary>Runs the job that the parent sends.</summary>
    /// <param name="channel">The conversation, of which nothing has happened yet.</param>
    /// <param name="isCopy">Whether this process is a forked copy, which must not run handlers that were registered before.</param>
    [DoesNotReturn]
    internal static void RunFromWire(FrameChannel channel, bool isCopy)
    {
        NextLife? life = null;
        while (true)
        {
            ChildRunner runner = new(channel, isCopy) { _life = life, _hasGreeted = life is not null };
            int code = runner.Guarded(runner.Converse);
            if (runner._next is null)
                OrderlyExit.Leave(code, runHandlers: !isCopy);
            // A new process, forked in the body: what its ancestor was doing is off the stack, and it begins where any child begins.
            channel.Dispose();
            life = runner._next!;
            channel = Begin(life, isRehearsal: false);
            isCopy = false; // handlers of its ancestor are forgotten, so those that it has at its exit are its own
        }
    }

    /// <summary>A child's life from its first step to its last, after which this process goes on: for one that will be forked into children, whose code and types are ready then.</summary>
    /// <param name="life">Its channel is one on which all that a child is told has been said already.</param>
    /// <param name="hangUp">Ends the other side of it.</param>
    internal static void Rehearse(NextLife life, Action hangUp)
    {
        using FrameChannel channel = Begin(life, isRehearsal: true);
        ChildRunner runner = new(channel, isCopy: true) { _life = life, _hasGreeted = true };
        int code = runner.Guarded(runner.Converse);
        hangUp();
        runner._link?.Join();
        if (code != 0)
            throw new StartMethodException("the rehearsal of a child's life failed; the standard error of this process says why");
        OrderlyExit.Rehearse();
    }

    private static FrameChannel Begin(NextLife next, bool isRehearsal)
    {
        try
        {
            return next.Begin();
        }
        catch (PeerGoneException) when (!isRehearsal)
        {
            OrderlyExit.End(0); // a child that nobody has needed
            throw;
        }
        catch (Exception e) when (!isRehearsal)
        {
            OrderlyExit.WriteError($"StartMethods: a forked child cannot begin: {e.Message}");
            OrderlyExit.End(ChildEntry.BootstrapFailedCode);
            throw;
        }
    }

    /// <summary>Runs a body that this process, a copy of its parent, has in its memory already. Never returns, but from a rehearsal.</summary>
    /// <param name="channel">The conversation, of which nothing has happened yet.</param>
    /// <param name="setup">What the child is.</param>
    /// <param name="body">What it does.</param>
    /// <param name="argument">With what.</param>
    /// <param name="serializer">Writes the result, where the application has its own.</param>
    /// <param name="hangUp">In a process that will be forked, for a detached child whose body ends at once: ends the other side of the channel, and the rehearsal.</param>
    internal static void RunInMemory(FrameChannel channel, SetupMessage setup, Delegate body, object? argument, IPayloadSerializer? serializer, Action? hangUp = null)
    {
        ChildRunner runner = new(channel, isCopy: true) { _isRehearsal = hangUp is not null };
        int code = runner.Guarded(() =>
        {
            runner.Become(setup);
            runner.RunKnown(body, argument, serializer);
        });
        while (hangUp is null) // a method that can only throw is not precompiled: each child would compile this one
            OrderlyExit.Leave(code, runHandlers: false);
        hangUp();
        runner._link?.Join();
        channel.Dispose();
    }

    private void RunKnown(Delegate body, object? argument, IPayloadSerializer? serializer)
    {
        _channel.Send(new FrameContent(FrameType.Hello, HelloMessage.Own.Encode()));
        JobShape shape = JobShape.For(body.GetType());
        RunAndAnswer(token => shape.InvokeAsync(body, argument, token), shape.ResultType, serializer);
    }

    private int Guarded(Action life)
    {
        try
        {
            life();
            return 0;
        }
        catch (PeerGoneException)
        {
            if (_life is not null && _link is null)
                OrderlyExit.End(0); // a child that nobody has needed
            return 1; // the parent is gone: there is nobody to tell
        }
        catch (Exception e)
        {
            OrderlyExit.WriteError($"StartMethods: child '{_setup?.Name}' cannot go on: {e}");
            return 1;
        }
    }

    private void Converse()
    {
        if (!_hasGreeted)
            _channel.Send(new FrameContent(FrameType.Hello, HelloMessage.Own.Encode()));
        using (Frame setup = Expect(FrameType.Setup))
            Become(SetupMessage.Decode(setup.Payload.Span));
        using Frame frame = Expect(FrameType.Job);
        Job job;
        try
        {
            _life?.Complete(_channel);
            job = JobCodec.Decode(PayloadFrames.Take(frame));
        }
        catch (Exception e) when (e is not PeerGoneException)
        {
            Answer(e, null);
            return;
        }
        RunAndAnswer(job.InvokeAsync, job.ResultType, job.Serializer);
    }

    private void Become(SetupMessage setup)
    {
        _setup = setup;
        ChildContext own = new() { Name = setup.Name, MethodName = setup.MethodName, ParentId = setup.ParentId };
        // An application that rehearses is asked meanwhile what it is.
        (ChildContext.Depth, ChildContext.Current) = _isRehearsal ? (ChildContext.Depth, ChildContext.Current) : (setup.Depth, own);
    }

    private Frame Expect(FrameType type)
    {
        if (!_channel.Receive(out Frame? frame))
            throw new PeerGoneException();
        if (frame.Type == type)
            return frame;
        frame.Dispose();
        throw new ProtocolException($"a {frame.Type} frame came where {type} was expected");
    }

    private void RunAndAnswer(Func<CancellationToken, Task<object?>> body, Type resultType, IPayloadSerializer? serializer)
    {
        ParentLink link = _link = new ParentLink(_channel, _setup!, runHandlers: !_isCopy);
        if (!_setup!.OwnsChannel)
            link.Start(isOfThisProcess: !_isRehearsal);
        _channel.Send(new FrameContent(FrameType.Started));
        object? value;
        try
        {
            value = body(link.Token).GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            Answer(e, serializer);
            return;
        }
        if (value is NextLife next)
        {
            _next = next;
            return;
        }
        FrameContent content;
        try
        {
            EncodedPayload payload = ResultCodec.Encode(value, resultType, serializer);
            CheckSize(payload);
            content = PayloadFrames.Content(FrameType.Result, payload);
        }
        catch (Exception e)
        {
            Answer(e, serializer);
            return;
        }
        _channel.Send(content);
        if (_setup.AnswersFirst)
            Native.Pause(ArrivalMicroseconds);
    }

    private const int ArrivalMicroseconds = 100;

    private void CheckSize(EncodedPayload payload)
    {
        long size = payload.Size;
        if (size <= _setup!.MaxResultBytes)
            return;
        payload.Dispose();
        throw new PayloadException($"the result of child '{_setup.Name}' takes {size} bytes, more than the {_setup.MaxResultBytes} that ChildOptions.MaxResultBytes allows");
    }

    private void Answer(Exception error, IPayloadSerializer? serializer) => _channel.Send(PayloadFrames.Content(FrameType.Failure, FailureCodec.Encode(error)));
}
