using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StartMethods.ForkWeb;

/// <summary>
/// Saturates a server: each connection sends the next request as soon as it has the whole answer to the last. Ends with the line "q" on standard input, and prints
/// how many answers there were, and every error: a broken connection, an answer that is not the expected one.
/// </summary>
internal static class LoadGenerator
{
    private static readonly byte[] Request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"u8.ToArray();
    private static long s_answers;
    private static volatile bool s_stop;

    internal static int Run(int port, int connections)
    {
        List<string> errors = [];
        Task[] clients = [.. Enumerable.Range(0, connections).Select(_ => Task.Run(() => ClientAsync(port, errors)))];
        Console.WriteLine("running");
        while (Console.ReadLine() is { } line && line != "q")
        {
        }
        s_stop = true;
        bool ended = Task.WaitAll(clients, TimeSpan.FromSeconds(10));
        Console.WriteLine($"{s_answers} answers, {errors.Count + (ended ? 0 : 1)} errors{string.Concat(errors.Take(5).Select(e => $"; {e}"))}{(ended ? "" : "; a connection got no answer")}");
        return errors.Count == 0 && ended ? 0 : 1;
    }

    private static async Task ClientAsync(int port, List<string> errors)
    {
        byte[] buffer = new byte[4096];
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port);
            while (!s_stop)
            {
                await socket.SendAsync(Request);
                int got = 0;
                while (!IsWhole(buffer.AsSpan(0, got)))
                {
                    int more = await socket.ReceiveAsync(buffer.AsMemory(got));
                    if (more == 0)
                        throw new IOException($"the connection ended after '{Encoding.ASCII.GetString(buffer, 0, got)}'");
                    got += more;
                }
                Interlocked.Increment(ref s_answers);
            }
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            lock (errors)
                errors.Add(e.Message);
        }
    }

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        int head = answer.IndexOf("\r\n\r\n"u8);
        if (head < 0)
            return false;
        ReadOnlySpan<byte> body = answer[(head + 4)..];
        if (!answer.StartsWith("HTTP/1.1 200 "u8) || body.Length > LoopbackServer.Answer.Length)
            throw new IOException($"not the answer: '{Encoding.ASCII.GetString(answer)}'");
        return Encoding.ASCII.GetString(body) == LoopbackServer.Answer;
    }
}
