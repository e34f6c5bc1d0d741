using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>A child without a pidfd, where a system call filter or an old kernel refuses them: a thread of its own waits for exactly this pid.</summary>
/// <remarks>A thread a child is the price of never using <c>waitpid(-1)</c> or SIGCHLD, which belong to the runtime.</remarks>
internal sealed class PidLifetime : ChildLifetime
{
    internal PidLifetime(int id) : base(id)
    {
        // WNOWAIT leaves the zombie in place, so the pid stays ours until Poll reaps it under the lock that Signal takes.
        new Thread(() => WaitOnDescriptor(-1, Timeout.InfiniteTimeSpan), maxStackSize: 128 * 1024)
        {
            Name = "StartMethods Wait",
            IsBackground = true,
        }.UnsafeStart();
    }

    protected override int Descriptor => -1;

    internal override bool WaitForExit(TimeSpan timeout) => Exited.Wait(timeout);

    protected override void Release() { }
}
