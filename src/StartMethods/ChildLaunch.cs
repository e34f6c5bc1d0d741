using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.ForkServers;
using StartMethods.Forking;
using StartMethods.Interop;
using StartMethods.Payloads;
using StartMethods.Spawning;

namespace StartMethods;

/// <summary>One child to be started: what a <see cref="StartMethod"/> gets.</summary>
public sealed class ChildLaunch
{
    private readonly ChildJob _job;
    private ChannelEnd? _end;
    private ChildStreams? _streams;
    private FrameChannel? _parentEnd;
    private EncodedPayload? _payload;

    internal ChildLaunch(ChildJob job, ChildOptions options, SetupMessage setup) => (_job, Options, Setup) = (job, options, setup);

    /// <summary>The child's name.</summary>
    public string Name => Setup.Name;

    /// <summary>What was asked for.</summary>
    public ChildOptions Options { get; }

    internal SetupMessage Setup { get; }

    /// <summary>The child's end of the channel: to be handed to the child, never used here.</summary>
    internal ChannelEnd End
    {
        get
        {
            Open();
            return _end!;
        }
    }

    /// <summary>This process's end, for a method that has something to say to the child before its session begins.</summary>
    internal FrameChannel Channel
    {
        get
        {
            Open();
            return _parentEnd!;
        }
    }

    /// <summary>What the three standard descriptors of the child are to be.</summary>
    internal ChildStreams Streams => _streams ??= new ChildStreams(Options);

    /// <summary>What the child is to run.</summary>
    internal Delegate Body => _job.Body;

    /// <summary>The same as a function that can travel.</summary>
    internal Function Function => Function.Of(_job.Body);

    /// <summary>Whether the job was asked for in its written form, so that it must be sent to the child.</summary>
    internal bool IsEncoded => _payload is not null;

    /// <summary>The child, if it was forked ahead: then it has been told all that it is to do.</summary>
    internal SpareChild? Told { get; private set; }

    /// <summary>
    /// The command that starts this application again as this child: program, arguments, environment, working directory, standard descriptors, channel. A method of
    /// one's own may change it, for instance to put <c>nice</c> or <c>numactl</c> in front.
    /// </summary>
    /// <exception cref="PayloadException">The body, or what it captured, cannot travel to another process.</exception>
    /// <exception cref="StartMethodException">This process cannot be started again; the message says what is missing.</exception>
    public SpawnInfo CreateSpawnInfo()
    {
        EncodeJob();
        RelaunchCommand command = Relaunch.Command;
        SpawnInfo info = new(command.FileName, command.Arguments)
        {
            WorkingDirectory = Options.WorkingDirectory,
            StandardInput = Streams.Input,
            StandardOutput = Streams.Output,
            StandardError = Streams.Error,
        };
        FillEnvironment(info.Environment);
        info.Environment[ChildVariable.Name] = ChildVariable.For(End, Setup.Depth).ToString();
        if (command.NeedsHook)
        {
            info.Environment.TryGetValue(StartupHooks.Variable, out string? hooks);
            info.Environment[StartupHooks.Variable] = StartupHooks.Append(hooks);
        }
        if (End.Socket is { } socket)
            info.InheritedHandles.Add((socket, ChildVariable.SocketNumber));
        return info;
    }

    /// <summary>Starts the command: <see cref="SpawnedProcess.Start(SpawnInfo)"/>.</summary>
    /// <exception cref="SpawnException">It could not be started: stage, culprit and errno are in the message.</exception>
    public SpawnedProcess Start(SpawnInfo info)
    {
        SpawnedProcess process = SpawnedProcess.Start(info);
        process.Lifetime.Files = RuntimeFiles.Of(process.Id, info);
        return process;
    }

    /// <summary>Writes the job for the wire, once. It is sent by whoever listens to the child, after the launch.</summary>
    internal EncodedPayload EncodeJob() => _payload ??= _job.Encode(Options.Serializer);

    /// <summary>Sends a child that has waited for it what it is to do, but not yet what it is to be: it wakes up by that, and begins with nothing.</summary>
    /// <returns>False: the child has died.</returns>
    internal bool TryTell(SpareChild spare)
    {
        spare.Channel.Limit(Limits);
        return HasLeft(spare.Channel.TryPost([SetupFrame(Setup with { AnswersFirst = !_job.IsAwaited }), JobFrame]));
    }

    /// <summary>Sends a child that waits on this channel all at once: what it is to be, and what it is to do.</summary>
    /// <returns>False: the child has died, and nothing has changed.</returns>
    internal bool TryTell(FrameChannel channel, FrameContent circumstances)
    {
        channel.Limit(Limits);
        return HasLeft(channel.TryPost([circumstances, SetupFrame(Setup), JobFrame]));
    }

    /// <summary>Sends the child of this launch what it is to do, after what is to come before that. If it has died, whoever listens to it hears of it.</summary>
    internal void Tell(params ReadOnlySpan<FrameContent> before)
    {
        Channel.Post([.. before, SetupFrame(Setup), JobFrame]);
        HasLeft(true);
    }

    private static FrameContent SetupFrame(SetupMessage setup) => new(FrameType.Setup, setup.Encode());

    private FrameContent JobFrame => PayloadFrames.Content(FrameType.Job, EncodeJob());

    private bool HasLeft(bool hasLeft)
    {
        if (hasLeft)
            _payload = null; // it belongs to the message; another child would need another
        return hasLeft;
    }

    /// <summary>The child of this channel has been told everything.</summary>
    internal void Take(FrameChannel channel)
    {
        _parentEnd?.Dispose();
        CloseEnd();
        _parentEnd = channel;
    }

    /// <summary>This start is the child's, which has been told everything.</summary>
    /// <param name="spare">The child, whose channel is that of this launch from now on.</param>
    /// <param name="streams">The streams that it has; null: those of this launch, which it was given.</param>
    internal void Take(SpareChild spare, ChildStreams? streams)
    {
        Told = spare;
        Take(spare.Channel);
        if (streams is not null)
        {
            _streams?.Dispose();
            _streams = streams;
        }
    }

    /// <summary>Closes the child's end here, when the child has it.</summary>
    internal void CloseEnd()
    {
        _end?.Dispose();
        _end = null;
    }

    /// <summary>Closes all of it, where there is no child.</summary>
    internal void Abandon()
    {
        _parentEnd?.Dispose();
        _streams?.Dispose();
        CloseEnd();
    }

    private FrameLimits Limits => Options.MaxResultBytes == FrameLimits.DefaultMaxBytes ? FrameLimits.Default : new FrameLimits { MaxBytes = Options.MaxResultBytes };

    /// <summary>Makes channel and streams. Not before it must be: a child that was forked ahead has its own.</summary>
    internal void Open()
    {
        _ = Streams;
        if (_parentEnd is null)
            (_parentEnd, _end) = FrameChannel.CreatePair(Limits);
    }

    /// <summary>Changes a copy of this process's environment into that of the child.</summary>
    internal void FillEnvironment(IDictionary<string, string?> environment)
    {
        if (Options.ClearEnvironment)
            KeepOnly(environment, "DOTNET_ROOT", "DOTNET_ROOT_X64", "STARTMETHODS_PORTABLE"); // without which a child might not start, or not be understood
        foreach ((string name, string? value) in Options.Environment)
        {
            if (value is null)
                environment.Remove(name);
            else
                environment[name] = value;
        }
    }

    /// <summary>
    /// For a method that makes the child a copy of this process, called in that copy, on the thread that becomes its main thread: gives it its environment, directory and
    /// standard descriptors, runs the body from the inherited memory, answers, and ends the process. Never returns, but from a rehearsal.
    /// </summary>
    /// <param name="isRehearsal">Whether this is the process that will be forked, which goes the same way and stays what it is.</param>
    internal void RunInChild(bool isRehearsal = false)
    {
        ChildProcess.ForgetAll(isRehearsal);
        FrameChannel channel;
        try
        {
            if (!isRehearsal)
                Channel.Dispose(); // else the child would hold the parent's end open, and never see it close
            Streams.BecomeOwn(isRehearsal);
            InheritedConsole.Forget(isRehearsal);
            BecomeEnvironment();
            if (Options.WorkingDirectory is { } directory)
                Directory.SetCurrentDirectory(directory);
            channel = new FrameChannel(End.Open());
        }
        catch (Exception e) when (!isRehearsal)
        {
            OrderlyExit.WriteError($"StartMethods: child '{Name}' cannot be prepared: {e.Message}");
            OrderlyExit.End(ChildEntry.BootstrapFailedCode);
            throw;
        }
        ChildRunner.RunInMemory(channel, Setup, _job.Body, _job.Argument, Options.Serializer, isRehearsal ? Channel.Dispose : null);
    }

    private void BecomeEnvironment()
    {
        if (!Options.ClearEnvironment && Options.Environment.Count == 0)
            return;
        Dictionary<string, string?> before = SpawnInfo.CurrentEnvironment(), wanted = new(before, before.Comparer);
        FillEnvironment(wanted);
        foreach (string name in before.Keys)
        {
            if (!wanted.ContainsKey(name))
                Environment.SetEnvironmentVariable(name, null);
        }
        foreach ((string name, string? value) in wanted)
        {
            if (!before.TryGetValue(name, out string? old) || old != value)
                Environment.SetEnvironmentVariable(name, value);
        }
    }

    private static void KeepOnly(IDictionary<string, string?> environment, params ReadOnlySpan<string> names)
    {
        Dictionary<string, string?> kept = [];
        foreach (string name in names)
        {
            if (environment.TryGetValue(name, out string? value))
                kept[name] = value;
        }
        environment.Clear();
        foreach ((string name, string? value) in kept)
            environment[name] = value;
    }
}
