using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Payloads;
using StartMethods.Threads;

namespace StartMethods.ForkServers;

/// <summary>
/// The server goes through a child's life once, except for its birth and its death, so that each child finds the code of it compiled, the types ready and
/// the pages in place. Without it a child spent most of its time in the compiler.
/// </summary>
internal static class Rehearsal
{
    internal static void Run(byte[] environment)
    {
        LoadedConsole.Watch();
        ExitHandlers.Prepare();
        InOwnName(() =>
        {
            Play(isSpare: false, environment);
            Play(isSpare: true, OwnEnvironment());
        });
        ForkedEnvironment.Adopt(environment); // in the order in which the application sends it
        ListenerThread.Park();
    }

    /// <summary>In a spare child, which has the time: a page that it has written to, and a call that it has made once, is one less when it is needed.</summary>
    internal static void RunInSpare(byte[] environment)
    {
        InOwnName(() => Play(isSpare: true, environment));
        ListenerThread.ParkForLater();
    }

    private static void InOwnName(Action play)
    {
        ChildContext? context = ChildContext.Current;
        int depth = ChildContext.Depth;
        try
        {
            play();
        }
        finally
        {
            (ChildContext.Current, ChildContext.Depth) = (context, depth);
        }
    }

    // All sides on this one thread: what is said fits into the buffers of the sockets.
    private static void Play(bool isSpare, byte[] environment)
    {
        ListenerThread.Park();
        (FrameChannel application, ChannelEnd end) = FrameChannel.CreatePair();
        using (application)
        {
            Speak(application, isSpare, environment);
            (MessageSocket server, MessageSocket requests) = MessageSocket.CreatePair();
            using (server)
            {
                ForkedLife child = ServerLoop.Rehearse(requests, isSpare, end.Socket!);
                ChildRunner.Rehearse(child, application.Dispose);
            }
        }
    }

    private static void Speak(FrameChannel application, bool isSpare, byte[] environment)
    {
        Circumstances own = new() { Size = (uint)Unsafe.SizeOf<Circumstances>() };
        NativeError.ThrowIfFailed(Native.CircumstancesTake(null, ref own), "open the working directory");
        using SafeFileHandle directory = new(own.Directory, ownsHandle: true);
        application.Send(new FrameContent(Assignment.Type, Assignment.Encode(own, environment))
        {
            Descriptors = [directory, Standard(0), Standard(1), Standard(2)],
        });
        SetupMessage setup = new() { Name = "rehearsal", MethodName = "forkserver", ParentId = Environment.ProcessId, Depth = 1, Detached = true, MaxResultBytes = long.MaxValue, AnswersFirst = isSpare };
        application.Send(new FrameContent(FrameType.Setup, setup.Encode()));
        // Of both kinds: a body that returns its result, and one that returns a task of it.
        Delegate body = isSpare ? static (int x) => Task.FromResult(x + 1) : static (int x) => x + 1;
        application.Send(PayloadFrames.Content(FrameType.Job, JobCodec.Encode(body, 1, hasArgument: true)));
        if (isSpare)
            application.Send(Assignment.AsGiven);
    }

    private static SafeFileHandle Standard(int number) => new(number, ownsHandle: false);

    private static byte[] OwnEnvironment()
    {
        StringBuilder block = new();
        System.Collections.IDictionaryEnumerator variables = Environment.GetEnvironmentVariables().GetEnumerator();
        while (variables.MoveNext())
            block.Append(variables.Key).Append('=').Append(variables.Value).Append('\0');
        return Encoding.UTF8.GetBytes(block.ToString());
    }
}
