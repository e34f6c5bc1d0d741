using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace StartMethods.ProcessTests;

/// <summary>
/// One HTTP/1.1 connection that is used again and again. HttpClient would not do: it repeats a request whose connection broke, and so hides what these tests look for.
/// </summary>
internal sealed partial class KeptConnection : IDisposable
{
    private static readonly byte[] Request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray();
    private const string LastChunk = "\r\n0\r\n\r\n";
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[4096];

    private KeptConnection()
    {
    }

    /// <summary>The process that has answered last; 0 before the first answer.</summary>
    internal int Process { get; private set; }

    /// <summary>Whether the last answer said that no other will come on this connection.</summary>
    internal bool IsOver { get; private set; }

    internal static async Task<KeptConnection> OpenAsync(IPEndPoint server, CancellationToken cancellation)
    {
        KeptConnection connection = new();
        await connection._socket.ConnectAsync(server, cancellation);
        return connection;
    }

    /// <summary>Sends a request and reads the answer to its end.</summary>
    /// <returns>Null, or what was wrong.</returns>
    internal async Task<string?> AskAsync(CancellationToken cancellation)
    {
        try
        {
            await _socket.SendAsync(Request, cancellation);
            for (int filled = 0; ;)
            {
                int count = await _socket.ReceiveAsync(_buffer.AsMemory(filled), cancellation);
                if (count == 0)
                    return $"the connection was closed after {filled} bytes of the answer";
                filled += count;
                string text = Encoding.ASCII.GetString(_buffer, 0, filled);
                if (text.EndsWith(LastChunk, StringComparison.Ordinal))
                    return Read(text);
            }
        }
        catch (SocketException e)
        {
            return e.Message;
        }
    }

    private string? Read(string answer)
    {
        Match worker = Worker().Match(answer);
        if (!answer.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal) || !worker.Success)
            return $"a wrong answer: {answer}";
        IsOver = answer.Contains("\r\nConnection: close\r\n", StringComparison.OrdinalIgnoreCase);
        Process = int.Parse(worker.Groups[1].Value);
        return null;
    }

    [GeneratedRegex(@"\nworker (\d+)\n")]
    private static partial Regex Worker();

    public void Dispose() => _socket.Dispose();
}
