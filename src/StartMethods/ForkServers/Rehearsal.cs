using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Payloads;

namespace StartMethods.ForkServers;

/// <summary>
/// The server goes through a child's life once, except for its birth and its death, so that each child finds the code of it compiled, the types ready and
/// the pages in place. Without it a child spent most of its time in the compiler.
/// </summary>
internal static class Rehearsal
{
    internal static void Run()
    {
        ChildContext? context = ChildContext.Current;
        int depth = ChildContext.Depth;
        try
        {
            Play();
        }
        finally
        {
            (ChildContext.Current, ChildContext.Depth) = (context, depth);
        }
        PrepareExit();
    }

    // Both sides on this one thread: all that is said fits into the buffers of the socket.
    private static void Play()
    {
        (FrameChannel application, ChannelEnd end) = FrameChannel.CreatePair();
        using (application)
        {
            Circumstances own = new() { Size = (uint)Marshal.SizeOf<Circumstances>() };
            NativeError.ThrowIfFailed(Native.CircumstancesTake(null, ref own), "open the working directory");
            using SafeFileHandle directory = new(own.Directory, ownsHandle: true);
            application.Send(new FrameContent(Assignment.Type, Assignment.Encode(own, OwnEnvironment()))
            {
                Descriptors = [directory, Standard(0), Standard(1), Standard(2)],
            });
            SetupMessage setup = new() { Name = "rehearsal", MethodName = "forkserver", ParentId = Environment.ProcessId, Depth = 1, Detached = true, MaxResultBytes = long.MaxValue };
            application.Send(new FrameContent(FrameType.Setup, setup.Encode()));
            application.Send(PayloadFrames.Content(FrameType.Job, JobCodec.Encode(static (int x) => Task.FromResult(x + 1), 1, hasArgument: true)));

            FrameChannel child = new(end.Open());
            if (child.Receive(out Frame? frame))
            {
                using (frame)
                    Assignment.Become(frame);
            }
            ChildRunner.Rehearse(child, application.Dispose);
        }
    }

    private static void PrepareExit()
    {
        foreach (Type type in (ReadOnlySpan<Type>)[typeof(OrderlyExit), typeof(ForkedLife)])
        {
            foreach (MethodInfo method in type.GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                if (!method.ContainsGenericParameters && !method.IsAbstract)
                    RuntimeHelpers.PrepareMethod(method.MethodHandle);
            }
        }
        Marshal.Prelink(typeof(Native).GetMethod(nameof(Native.ExitNow), BindingFlags.Static | BindingFlags.NonPublic)!);
        _ = AppDomain.CurrentDomain.GetAssemblies().Length;
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
