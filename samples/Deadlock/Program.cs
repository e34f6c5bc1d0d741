// The classic story: a thread holds a lock at the moment a child is started. A child that is a bare copy of the process would inherit the lock,
// locked, without the thread that could ever unlock it. By `spawn`, the child is a fresh process with a lock of its own: it completes.
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
Console.WriteLine("The thread 'Bookkeeper' holds the lock of the ledger, and will while a child is started.");

string answer = await ChildProcess.RunAsync(() => Ledger.Read(), new ChildOptions { Method = StartMethod.Spawn, Timeout = TimeSpan.FromSeconds(20) });
Console.WriteLine($"spawn: {answer}");

release.Set();
bookkeeper.Join();
return 0;

/// <summary>Something with a lock, as every program has.</summary>
internal static class Ledger
{
    public static readonly Lock Gate = new();

    public static string Read()
    {
        lock (Gate)
            return $"the child (process {Environment.ProcessId}) took the lock, read the ledger and ended.";
    }
}
