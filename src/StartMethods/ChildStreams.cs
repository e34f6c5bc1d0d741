using System.Runtime.InteropServices;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods;

/// <summary>
/// The three standard descriptors of a child: which end it gets, and what this process keeps. Prepared here, and not by the program starter, so that a
/// child that is a copy of this process gets them in the same way.
/// </summary>
internal sealed class ChildStreams : IDisposable
{
    private const int StandardErrorNumber = 2;
    private readonly List<IDisposable> _childEnds = [];

    internal ChildStreams(ChildOptions options)
    {
        if (Native.IsPortable)
        {
            // What starts programs there makes the pipes itself, and knows no handles.
            (Input, Output, Error) = (options.StandardInput ?? SpawnStdio.Null, options.StandardOutput ?? SpawnStdio.Inherit, options.StandardError ?? SpawnStdio.Inherit);
            if (options.OutputTaker is not null)
                (Output, OutputRelay) = (SpawnStdio.Pipe, new RelayedOutput(options.OutputTaker));
            if (options.ErrorTaker is not null || IsRelayed(options))
                (Error, Relay) = (SpawnStdio.Pipe, new RelayedOutput(options.ErrorTaker));
            return;
        }
        try
        {
            (Input, InputStream) = options.StandardInput is { Kind: SpawnStdio.Target.Pipe } ? PipeTo() : (options.StandardInput ?? SpawnStdio.Null, null);
            if (options.OutputTaker is not null)
                (Output, OutputRelay) = RelayedPipe(-1, options.OutputTaker);
            else
                (Output, OutputStream) = options.StandardOutput is { Kind: SpawnStdio.Target.Pipe } ? PipeFrom() : (options.StandardOutput ?? SpawnStdio.Inherit, null);
            if (options.ErrorTaker is not null || IsRelayed(options))
                (Error, Relay) = RelayedPipe(options.ErrorTaker is null ? StandardErrorNumber : -1, options.ErrorTaker);
            else
                (Error, ErrorStream) = options.StandardError is { Kind: SpawnStdio.Target.Pipe } ? PipeFrom() : (options.StandardError ?? SpawnStdio.Inherit, null);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private static bool IsRelayed(ChildOptions options) => options.StandardError is null && options.KillOnParentExit;

    internal SpawnStdio Input { get; }

    internal SpawnStdio Output { get; }

    internal SpawnStdio Error { get; }

    internal Stream? InputStream { get; }

    internal Stream? OutputStream { get; }

    internal Stream? ErrorStream { get; }

    /// <summary>Passes standard error on and keeps its end; null where the user chose otherwise, and for a detached child, which outlives it.</summary>
    internal RelayedOutput? Relay { get; }

    /// <summary>Takes standard output where somebody here wants it.</summary>
    internal RelayedOutput? OutputRelay { get; }

    /// <summary>Whether somebody takes output here that may still come.</summary>
    internal bool IsTaken => OutputRelay is { HasEnded: false } || (OutputRelay is not null && Relay is { HasEnded: false });

    /// <summary>Gives the three to this process itself: for a child that is a copy of the parent.</summary>
    /// <param name="isRehearsal">Whether this is the process that will be forked, whose own stay as they are.</param>
    internal void BecomeOwn(bool isRehearsal)
    {
        Become(0, Input, isRehearsal);
        Become(1, Output, isRehearsal);
        Become(2, Error, isRehearsal);
        InputStream?.Dispose();
        OutputStream?.Dispose();
        ErrorStream?.Dispose();
    }

    /// <summary>Closes the ends that only the child needs; to be called when it has them.</summary>
    internal void CloseChildEnds()
    {
        foreach (IDisposable end in _childEnds)
            end.Dispose();
        _childEnds.Clear();
    }

    public void Dispose()
    {
        CloseChildEnds();
        InputStream?.Dispose();
        OutputStream?.Dispose();
        ErrorStream?.Dispose();
        Relay?.Dispose();
        OutputRelay?.Dispose();
    }

    private static void Become(int number, SpawnStdio target, bool isRehearsal)
    {
        switch (target.Kind)
        {
            case SpawnStdio.Target.Handle:
                Set((int)target.Handle!.DangerousGetHandle(), number, isRehearsal);
                break;
            case SpawnStdio.Target.MergeIntoOutput:
                Set(1, number, isRehearsal);
                break;
            case SpawnStdio.Target.Null:
                using (SafeHandle none = File.OpenHandle("/dev/null", FileMode.Open, number == 0 ? FileAccess.Read : FileAccess.Write))
                    Set((int)none.DangerousGetHandle(), number, isRehearsal);
                break;
            case SpawnStdio.Target.File:
                using (SafeHandle file = Open(target))
                    Set((int)file.DangerousGetHandle(), number, isRehearsal);
                break;
            case SpawnStdio.Target.Inherit:
            default:
                break;
        }
    }

    private static SafeHandle Open(SpawnStdio target) => target.Mode switch
    {
        OpenKind.Read => File.OpenHandle(target.Path!, FileMode.Open, FileAccess.Read),
        OpenKind.Append => File.OpenHandle(target.Path!, FileMode.Append, FileAccess.Write),
        _ => File.OpenHandle(target.Path!, FileMode.Create, FileAccess.Write),
    };

    private static void Set(int descriptor, int number, bool isRehearsal) =>
        NativeError.ThrowIfFailed(Native.SetStandardDescriptor(descriptor, isRehearsal ? descriptor : number), "dup2 to a standard descriptor");

    private (SpawnStdio, Stream) PipeTo()
    {
        (FileDescriptor read, FileDescriptor write) = Pipe(ownEnd: 1);
        return (ChildEnd(read), new DescriptorStream(write, ReactorInterest.Write));
    }

    private (SpawnStdio, Stream) PipeFrom()
    {
        (FileDescriptor read, FileDescriptor write) = Pipe(ownEnd: 0);
        return (ChildEnd(write), new DescriptorStream(read, ReactorInterest.Read));
    }

    private (SpawnStdio, RelayedOutput) RelayedPipe(int sink, IOutputTaker? taker)
    {
        (FileDescriptor read, FileDescriptor write) = Pipe(ownEnd: 0);
        return (ChildEnd(write), new RelayedOutput(read, sink, taker));
    }

    private static (FileDescriptor Read, FileDescriptor Write) Pipe(int ownEnd)
    {
        NativeError.ThrowIfFailed(Native.CreatePipe(ownEnd, out FileDescriptor? read, out FileDescriptor? write), "pipe for a child's standard stream");
        return (read!, write!);
    }

    private SpawnStdio ChildEnd(FileDescriptor end)
    {
        _childEnds.Add(end);
        return SpawnStdio.FromHandle(end);
    }
}
