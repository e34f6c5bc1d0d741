// The classic story: a thread holds a lock at the moment a child is started. A child that is a bare copy of the process inherits the lock,
// locked. Four ends of it: by `spawn` the child is a fresh process with a lock of its own; `fork` is refused with the culprit's name; allowed all the same, the
// child waits in vain; and with ForkThreads.All the thread lives on in the child, and releases the lock there when it is told to.
using StartMethods;

using var held = new ManualResetEventSlim();
using var release = new ManualResetEventSlim();
var bookkeeper = new Thread(() =>
{
    lock (Ledger.Gate)
    {
        held.Set();
        release.Wait();
    }
}) { Name = "Bookkeeper" };
bookkeeper.Start();
held.Wait();
Console.WriteLine("The thread 'Bookkeeper' holds the lock of the ledger, and will while children are started.\n");

Console.WriteLine($"fork, threads of the application live on: {Start(new() { Policy = UnsafeForkPolicy.Allow, Threads = ForkThreads.All })}\n");
Console.WriteLine($"fork, they stand still: {Start(new() { Policy = UnsafeForkPolicy.Allow })}\n");
Console.WriteLine($"fork: {Start(new())}\n");

string answer = await ChildProcess.RunAsync(() => Ledger.Read(), new ChildOptions { Method = StartMethod.Spawn, Timeout = TimeSpan.FromSeconds(20) });
Console.WriteLine($"spawn: {answer}");

release.Set();
bookkeeper.Join();
return 0;

// The child tells its own copy of the bookkeeper to let go, and then wants the lock.
string Start(ForkOptions options)
{
    if (StartMethod.Fork.UnsupportedReason is { } reason)
        return $"not here: {reason}";
    try
    {
        return ChildProcess.RunAsync(() => { release.Set(); return Ledger.Read(); }, new ChildOptions { Method = StartMethod.ForkWith(options) }).GetAwaiter().GetResult();
    }
    catch (UnsafeForkException e)
    {
        return $"refused. {e.Message}";
    }
}

/// <summary>Something with a lock, as every program has.</summary>
internal static class Ledger
{
    public static readonly object Gate = new();

    public static string Read()
    {
        if (!Monitor.TryEnter(Gate, 3_000))
            return $"the child (process {Environment.ProcessId}) waited for the lock in vain.";
        Monitor.Exit(Gate);
        return $"the child (process {Environment.ProcessId}) took the lock, read the ledger and ended.";
    }
}
