using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkServers;

/// <summary>
/// What spare children are given ahead: the circumstances of this process at one moment, as a child gets them whose options ask for nothing else. At the start it
/// is enough to see that they still hold.
/// </summary>
internal sealed class SpareCircumstances : IDisposable
{
    private readonly Assignment.Written _environment;
    private readonly byte[] _payload;
    private readonly SafeFileHandle _directory;
    private readonly FileDescriptor _null, _output;
    private readonly Circumstances _taken;

    /// <summary>Those of this moment.</summary>
    /// <exception cref="StartMethodException">No descriptors are left.</exception>
    internal SpareCircumstances()
    {
        _environment = Assignment.OwnEnvironment();
        _taken = new Circumstances { Size = (uint)Unsafe.SizeOf<Circumstances>() };
        NativeError.ThrowIfFailed(Native.CircumstancesTake(null, ref _taken), "open the working directory");
        _directory = new SafeFileHandle(_taken.Directory, ownsHandle: true);
        try
        {
            _null = new FileDescriptor(NativeError.ThrowIfFailed(Native.OpenNull(), "open /dev/null"));
            // Of its own: that number may be another file a moment later, and which one children have must be known.
            _output = Native.IsInheritable(Output) == 1 ? new FileDescriptor(NativeError.ThrowIfFailed(Native.ChannelDuplicate(Output), "fcntl(F_DUPFD_CLOEXEC)")) : _null;
        }
        catch
        {
            Dispose();
            throw;
        }
        (_taken.Input, _taken.Output, _taken.Error) = (-1, _output.Number, -1);
        _payload = Assignment.Encode(_taken, _environment.Block);
    }

    private const int Output = 1;

    /// <summary>Whether a child of these options gets nothing but what this process has.</summary>
    internal static bool Suit(ChildOptions options) =>
        options is { WorkingDirectory: null, ClearEnvironment: false, Environment.Count: 0, OutputTaker: null, ErrorTaker: null, KillOnParentExit: true }
            && (options.StandardInput ?? SpawnStdio.Null).Kind == SpawnStdio.Target.Null
            && (options.StandardOutput ?? SpawnStdio.Inherit).Kind == SpawnStdio.Target.Inherit
            && options.StandardError is null;

    /// <summary>Whether this process still has them.</summary>
    internal bool Hold()
    {
        bool hasDirectory = false, hasOutput = false;
        try
        {
            _directory.DangerousAddRef(ref hasDirectory);
            _output.DangerousAddRef(ref hasOutput);
            return _environment.Holds && Native.CircumstancesHold(_taken) == 1;
        }
        catch (ObjectDisposedException)
        {
            return false; // others have taken their place
        }
        finally
        {
            if (hasDirectory)
                _directory.DangerousRelease();
            if (hasOutput)
                _output.DangerousRelease();
        }
    }

    /// <summary>The frame that gives them to a child, with these streams.</summary>
    internal FrameContent Content(ChildStreams streams) => new(Assignment.Type, _payload)
    {
        Descriptors = [_directory, _null, _output, streams.Error.Handle!],
        Sent = streams.CloseChildEnds,
    };

    public void Dispose()
    {
        _directory.Dispose();
        _null?.Dispose();
        _output?.Dispose();
    }
}
