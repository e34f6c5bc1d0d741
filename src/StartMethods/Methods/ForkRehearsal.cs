using StartMethods.Bootstrap;
using StartMethods.Channels;
using StartMethods.Threads;

namespace StartMethods.Methods;

/// <summary>
/// Before its first fork for a child, a process goes through the life of one, but for the birth, the name and the end. Without it each child compiled and
/// loaded that for itself, which took it longer than everything else.
/// </summary>
internal static class ForkRehearsal
{
    private static int s_done;

    internal static void Once()
    {
        if (Interlocked.Exchange(ref s_done, 1) != 0)
            return;
        LoadedConsole.Watch();
        (FrameChannel parent, ChannelEnd end) = FrameChannel.CreatePair();
        using (parent)
        {
            SetupMessage setup = new() { Name = "rehearsal", MethodName = "fork", ParentId = Environment.ProcessId, Depth = 1, Detached = true, MaxResultBytes = long.MaxValue };
            ChildRunner.RehearseInMemory(new FrameChannel(end.Open()), setup, static () => 42, parent.Dispose);
        }
        OrderlyExit.Rehearse();
    }
}
