using StartMethods.Spawning;

namespace StartMethods.Pools;

/// <summary>One worker process of a pool and the connection to it; the table knows it as its slot.</summary>
internal sealed class PoolWorker(WorkerSlot slot, string name)
{
    internal WorkerSlot Slot { get; } = slot;
    internal string Name { get; } = name;

    /// <summary>Null until it was started.</summary>
    internal ChildSession? Session { get; set; }

    internal WorkerLink? Link { get; set; }

    /// <summary>It is to be killed as soon as it is started: nobody waits for it any more.</summary>
    internal bool KillWhenStarted { get; set; }

    /// <summary>Why it could not be started, what its initializer threw, or what is wrong with what it said.</summary>
    internal Exception? Error { get; set; }

    /// <summary>Something was handed to the link since the last flush.</summary>
    internal bool NeedsFlush { get; set; }

    internal int ProcessId => Session?.Process.Id ?? 0;

    internal void Signal(bool kill)
    {
        if (Session is not { } session)
            KillWhenStarted = true;
        else if (kill)
            session.Process.Kill();
        else
            session.Process.Terminate();
    }
}
