using System.Diagnostics;
using StartMethods.Bootstrap;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

/// <summary>
/// The threads that a preload left behind. Each child gets all of them: one that waits goes on waiting there, which is worth a warning; one that runs may be holding
/// anything, and what it does would be done once more in each child, so nothing is forked beside it.
/// </summary>
internal static class LeftThreads
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>Whether <see cref="Find"/> found none: then no thread of a server holds a lock while it waits, and no fork has to look for one.</summary>
    internal static bool None { get; private set; }

    internal static (string Unsafe, string Warning) Find()
    {
        // A thread that is just ending, or on its way to where it will wait, is given the time.
        Stopwatch time = Stopwatch.StartNew();
        NativeThreadInfo[] left;
        while (true)
        {
            Native.ForkInspect(out NativeThreadInfo[] all);
            left = Array.FindAll(all, thread => (thread.Kind is NativeThreadKind.User or NativeThreadKind.Foreign) && thread.Name != ListenerThread.Name);
            if (Array.TrueForAll(left, IsWaiting) || time.Elapsed > Patience)
                break;
            Thread.CurrentThread.Join(10); // no event tells when a thread has come to rest
        }
        None = left.Length == 0;
        string busy = Names(Array.FindAll(left, thread => !IsWaiting(thread))), waiting = Names(Array.FindAll(left, IsWaiting));
        return (
            busy.Length == 0 ? "" : $"the preload left threads running, beside which nothing can be forked safely: {busy}. Stop them, or start them in the child, or wait in the preload until they are done",
            waiting.Length == 0 ? "" : $"the preload left threads behind, of which each child gets a copy: {waiting}. Stop them at the end of the preload if that is not meant");
    }

    private static bool IsWaiting(NativeThreadInfo thread) => thread.Parked != 0;

    // Without Linq here and elsewhere in a server: an assembly less is eight mappings less for each fork to copy.
    private static string Names(NativeThreadInfo[] threads) =>
        string.Join(", ", Array.ConvertAll(threads, thread => $"'{thread.Name}' (id {thread.ThreadId}{(thread.Kind == NativeThreadKind.Foreign ? ", of a native library" : "")})"));
}
