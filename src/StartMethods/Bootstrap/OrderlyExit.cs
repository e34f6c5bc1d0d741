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

    /// <summary>SM_EXIT_REHEARSAL: instead of an exit code, for all of the way to the end but the end. No process can ask for it: an exit code has eight bits.</summary>
    private const int RehearsalCode = int.MinValue;

    private static int s_leaving;

    /// <summary>Never returns, except from <see cref="Rehearse"/>. A second thread that calls it waits for the end that the first one makes.</summary>
    /// <param name="code">The exit code.</param>
    /// <param name="runHandlers">False in a child whose handlers were registered by the parent that it is a copy of.</param>
    internal static void Leave(int code, bool runHandlers)
    {
        bool isRehearsal = code == RehearsalCode;
        if (isRehearsal ? s_leaving < 0 : Interlocked.Exchange(ref s_leaving, 1) != 0)
            Never.Wait();
        try
        {
            InheritedConsole.Flush(); // only the writers that there are: to make one so that it can be flushed took a child longer than the rest of its exit
            if (runHandlers)
                ExitHandlers.Run(isRehearsal);
        }
        catch (Exception e)
        {
            WriteError($"StartMethods: a handler of this child's exit failed: {e}");
        }
        End(code);
    }

    /// <summary>For a process that will be forked: goes all the way that leads to an exit, runs no handler, and goes on.</summary>
    /// <param name="runHandlers">Whether a child's way would lead by them.</param>
    internal static void Rehearse(bool runHandlers = true)
    {
        if (runHandlers)
            ExitHandlers.Prepare();
        Leave(RehearsalCode, runHandlers);
    }

    /// <summary>Ends the process at once, with nothing flushed.</summary>
    internal static void End(int code)
    {
        if (!Native.IsPortable)
            Native.ExitNow(code);
        if (code != RehearsalCode)
            Environment.Exit(code);
    }

    /// <summary>Writes a line to standard error.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)] // else System.Console is loaded by whoever might have something to say
    internal static void WriteError(string line) => Console.Error.WriteLine(line);
}
