using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using StartMethods.Forking;
using StartMethods.Interop;

namespace StartMethods.Bootstrap;

/// <summary>
/// How a child leaves: what it has written is flushed, its ProcessExit handlers run, and then the process ends at once. Foreground threads, finalizers
/// and the C library's atexit handlers are not waited for.
/// </summary>
internal static class OrderlyExit
{
    /// <summary>What a thread waits for that is only to be there until the process ends.</summary>
    internal static readonly ManualResetEventSlim Never = new();

    private static int s_leaving;

    /// <summary>Never returns. A second thread that calls it waits for the end that the first one makes.</summary>
    /// <param name="code">The exit code.</param>
    /// <param name="runHandlers">False in a child whose handlers were registered by the parent that it is a copy of.</param>
    [DoesNotReturn]
    internal static void Leave(int code, bool runHandlers)
    {
        if (Interlocked.Exchange(ref s_leaving, 1) != 0)
            Never.Wait();
        try
        {
            InheritedConsole.Flush(); // only the writers that there are: to make one so that it can be flushed took a child longer than the rest of its exit
            if (runHandlers)
                ExitHandlers.Run();
        }
        catch (Exception e)
        {
            WriteError($"StartMethods: a handler of this child's exit failed: {e}");
        }
        End(code);
    }

    /// <summary>For a process that will be forked: does what is done before each exit and changes nothing.</summary>
    internal static void Rehearse()
    {
        InheritedConsole.Flush();
        ExitHandlers.Prepare();
    }

    /// <summary>Ends the process at once, with nothing flushed.</summary>
    [DoesNotReturn]
    internal static void End(int code)
    {
        if (!Native.IsPortable)
            Native.ExitNow(code);
        Environment.Exit(code);
    }

    /// <summary>Writes a line to standard error.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)] // else System.Console is loaded by whoever might have something to say
    internal static void WriteError(string line) => Console.Error.WriteLine(line);
}
