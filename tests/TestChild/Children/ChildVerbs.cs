using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StartMethods;
using StartMethods.Channels;

namespace TestChild.Children;

/// <summary>Applications that run functions in children.</summary>
internal static class ChildVerbs
{
    internal static void AddTo(Dictionary<string, Verb> verbs)
    {
        verbs["parent"] = ParentAsync;
        verbs["check-children"] = CheckAsync;
        verbs["post-without-descriptors"] = PostWithoutDescriptors;
    }

    /// <summary>Posts more than a socket holds while no descriptor is left with which to wait for room: what both sides see.</summary>
    private static Task<int> PostWithoutDescriptors(string[] arguments)
    {
        // What the runtime loads and starts needs descriptors too, and it remembers what it could not load.
        Console.WriteLine(Marshal.GetPInvokeErrorMessage(0));
        (FrameChannel first, FrameChannel atFirst, _) = Pair();
        (FrameChannel left, FrameChannel right, Task<Exception?> closed) = Pair();
        first.Post(new FrameContent(FrameType.Job, new byte[2_000_000]));
        _ = Receive(atFirst);
        List<SafeFileHandle> taken = [];
        try
        {
            while (true)
                taken.Add(File.OpenHandle("/dev/null"));
        }
        catch (IOException) { }
        left.Post(new FrameContent(FrameType.Job, new byte[2_000_000]));
        string arrived = Receive(right);
        Exception? error = closed.Wait(TimeSpan.FromSeconds(10)) ? closed.Result : null;
        foreach (SafeFileHandle handle in taken)
            handle.Dispose();
        Console.WriteLine($"there: {arrived}; here: {error?.Message}");
        foreach (FrameChannel channel in (FrameChannel[])[first, atFirst, left, right])
            channel.Dispose();
        return Task.FromResult(0);
    }

    private static (FrameChannel, FrameChannel, Task<Exception?>) Pair()
    {
        TaskCompletionSource<Exception?> closed = new();
        (FrameChannel local, ChannelEnd remote) = FrameChannel.CreatePair();
        local.Listen(static _ => { }, error => closed.SetResult(error));
        return (local, new FrameChannel(remote.Open()), closed.Task);
    }

    private static string Receive(FrameChannel channel)
    {
        try
        {
            return channel.Receive(out Frame? frame) ? $"{frame.Payload.Length} bytes" : "an end";
        }
        catch (ProtocolException)
        {
            return "an end within a frame";
        }
    }

    /// <summary>parent N END [detached]: starts N children that sleep, says "ready", and ends in the way that END names: wait, return, failfast, throw.</summary>
    private static async Task<int> ParentAsync(string[] arguments)
    {
        ChildOptions options = new() { Detached = arguments.Contains("detached") };
        Console.WriteLine("starting");
        List<ChildProcess> children = [];
        for (int i = 0; i < int.Parse(arguments[0]); i++)
            children.Add(ChildProcess.Start(static () => { Console.WriteLine("child"); Thread.Sleep(Timeout.Infinite); }, options));
        if (arguments[1] != "wait")
            await Task.Delay(500); // the bodies run by then; that they do is not what is tested
        Console.WriteLine("ready");
        switch (arguments[1])
        {
            case "failfast":
                Environment.FailFast("as asked");
                break;
            case "throw":
                throw new InvalidOperationException("as asked");
            case "wait":
                await Task.Delay(Timeout.Infinite);
                break;
        }
        GC.KeepAlive(children);
        return 0;
    }

    /// <summary>check-children FILE: runs children of every end, with Process.Start beside them; writes what was wrong to FILE, and "ok" at its end.</summary>
    private static async Task<int> CheckAsync(string[] arguments)
    {
        List<string> wrong = [];
        void Check(object? actual, object? expected, string what)
        {
            if (!Equals(actual, expected))
                wrong.Add($"{what}: {actual ?? "null"} instead of {expected ?? "null"}");
        }

        for (int round = 0; round < 3; round++)
        {
            using Process other = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "exit 5"]))!;
            Task<int> value = ChildProcess.RunAsync(static () => 42);
            await using ChildProcess exits = ChildProcess.Start(static () => Environment.Exit(7));
            await using ChildProcess killed = ChildProcess.Start(static () => Thread.Sleep(Timeout.Infinite));
            killed.Kill();
            Check(await value, 42, "result");
            Check((await exits.WaitForExitAsync()).Code, 7, "exit code");
            Check((await killed.WaitForExitAsync()).SignalNumber, 9, "signal");
            await other.WaitForExitAsync();
            Check(other.ExitCode, 5, "Process.Start");
        }
        Check(ChildProcess.Active.Count, 0, "active children");
        File.WriteAllLines(arguments[0], [.. wrong, wrong.Count == 0 ? "ok" : "wrong"]);
        return wrong.Count == 0 ? 0 : 1;
    }
}
