// A web server as Unix has always had them: one process listens, and workers forked from a warm fork server accept on that one socket. A worker that crashes is replaced;
// SIGHUP replaces all of them, one after the other, without a request being lost; SIGTERM and Ctrl+C let each finish what it has begun.
// PreforkWeb [--workers 2] [--port 0] [--single]     --single: the same site in this one process, to compare
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using Microsoft.Win32.SafeHandles;
using PreforkWeb;

int Option(string name, int otherwise) => Array.IndexOf(args, name) is >= 0 and int at ? int.Parse(args[at + 1]) : otherwise;

using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
listener.Bind(new IPEndPoint(IPAddress.Loopback, Option("--port", 0)));
listener.Listen(1024);
// Only a number to this process and its workers: a Socket object that one of them disposes of would shut the socket down for all.
using SafeFileHandle socket = new(listener.Handle, ownsHandle: false);

Channel<PosixSignal> signals = Channel.CreateUnbounded<PosixSignal>();
void Note(PosixSignalContext context)
{
    context.Cancel = true;
    signals.Writer.TryWrite(context.Signal);
}
using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Note);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Note);
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Note);

await using Workers workers = new(socket, args.Contains("--single") ? 0 : Option("--workers", 2));
await using WebApplication? single = args.Contains("--single") ? await Site.StartAsync(options => options.ListenHandle((ulong)listener.Handle)) : null;
await workers.StartAsync();
Console.WriteLine($"http://{listener.LocalEndPoint} (process {Environment.ProcessId})");

await foreach (PosixSignal signal in signals.Reader.ReadAllAsync())
{
    if (signal != PosixSignal.SIGHUP)
        break;
    await workers.RestartAsync();
}
await workers.StopAsync();
Console.WriteLine("stopped");
