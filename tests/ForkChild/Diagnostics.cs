using System.Buffers.Binary;
using System.IO.Pipes;
using System.Net.Sockets;
using StartMethods.Spawning;

namespace StartMethods.ForkChild;

/// <summary>The means by which tools (dotnet-trace, dotnet-dump, debuggers) find the forking process and speak with it.</summary>
internal static class Diagnostics
{
    internal static readonly Dictionary<string, Func<int, string?>> All = new()
    {
        ["diagnostics-files"] = Files,
        ["diagnostics-answers"] = _ => Answers(),
    };

    // Named for the process id and the time of its start; the ids of processes that could not clean up come again.
    private static readonly string Key = $"{Environment.ProcessId}-{File.ReadAllText("/proc/self/stat").Split(") ")[^1].Split(' ')[19]}";
    private static readonly string OwnSocket = Path.Combine(Path.GetTempPath(), $"dotnet-diagnostic-{Key}-socket");

    private static string[] OwnFiles => [.. new[] { OwnSocket, Path.Combine(Path.GetTempPath(), $"clr-debug-pipe-{Key}-in"), Path.Combine(Path.GetTempPath(), $"clr-debug-pipe-{Key}-out") }.Where(File.Exists)];

    /// <summary>However a child ends, these files stay: they are its parent's.</summary>
    private static string? Files(int variant)
    {
        string[] before = OwnFiles;
        if (before.Length != 3)
            return $"{before.Length} files of this process instead of a socket and two pipes";
        (string how, string status, Func<int> body) = (variant % 6) switch
        {
            0 => ("Environment.Exit", "exit 3", () => { Environment.Exit(3); return 98; }),
            1 => ("FailFast", "killed by SIGABRT", () => { Environment.FailFast("expected by the test"); return 98; }),
            2 => ("an unhandled exception", "killed by SIGABRT", () => { new Thread(() => throw new InvalidOperationException("expected by the test")).Start(); return Scenarios.WaitForever(); }),
            3 => ("SIGTERM", "killed by SIGTERM", Scenarios.WaitForever),
            4 => ("the exit of a child of its own", "exit 0", () => Scenarios.Expect(Scenarios.Fork(() => { Environment.Exit(3); return 98; }), "exit 3", "grandchild") is null ? 0 : 1),
            _ => ("leaving", "exit 0", new Func<int>(() => 0)),
        };
        ProcessLifetime child = Scenarios.Fork(body);
        if (status == "killed by SIGTERM")
            child.Signal(15);
        return Scenarios.Expect(child, status, how) ?? (OwnFiles.SequenceEqual(before) ? null : $"{how} has removed {string.Join(", ", before.Except(OwnFiles))}");
    }

    /// <summary>While a child lives, every question to this process's socket is answered, by this process.</summary>
    private static string? Answers()
    {
        using AnonymousPipeServerStream end = new(PipeDirection.Out, HandleInheritability.None);
        ProcessLifetime child = Scenarios.Fork(() =>
        {
            string[] serving = [.. Directory.GetDirectories("/proc/self/task").Select(task => File.ReadAllText(Path.Combine(task, "comm")).Trim()).Where(name => name is ".NET EventPipe" or ".NET DebugPipe")];
            foreach (string name in serving)
                Console.Error.WriteLine($"the child has a thread '{name}'");
            end.SafePipeHandle.Dispose(); // its copy
            using AnonymousPipeClientStream stop = new(PipeDirection.In, end.ClientSafePipeHandle);
            stop.ReadByte();
            return serving.Length;
        });
        string? wrong = null;
        for (int i = 0; i < 12 && wrong is null; i++)
            wrong = AskForProcessId() is var id && id == Environment.ProcessId ? null : $"question {i} was answered by {(id == 0 ? "nobody" : $"process {id}")}";
        end.Dispose();
        string? ended = Scenarios.Expect(child, "exit 0", "the child");
        return wrong ?? ended;
    }

    // The ProcessInfo command of the runtime's diagnostics protocol ("DOTNET_IPC_V1"): the answer begins with the process id.
    private static long AskForProcessId()
    {
        byte[] header = [.. "DOTNET_IPC_V1\0"u8, 20, 0, 4, 0, 0, 0], answer = new byte[28];
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 3000 };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(OwnSocket));
            socket.Send(header);
            for (int got = 0, more; got < answer.Length; got += more)
                if ((more = socket.Receive(answer, got, answer.Length - got, SocketFlags.None)) == 0)
                    return 0;
            return BinaryPrimitives.ReadInt64LittleEndian(answer.AsSpan(20));
        }
        catch (SocketException)
        {
            return 0;
        }
    }
}
