using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StartMethods.Interop;

namespace StartMethods.Benchmarks;

// The same as benchmarks/native/pty.c, by Posix.ForkPty: a pseudo-terminal in raw mode.
internal static partial class ForkSubject
{
    private const int Total = 32 << 20;

    private static double TerminalRate()
    {
        int child = Posix.ForkPty(out SafeFileHandle? terminal, Runtime);
        if (child == 0)
        {
            byte[] block = new byte[65536];
            Array.Fill(block, (byte)'x');
            (FileStream input, FileStream output) = Standard();
            input.ReadExactly(block, 0, 1);
            for (int sent = 0; sent < Total; sent += block.Length)
                output.Write(block);
            Thread.Sleep(Timeout.Infinite); // a closed side loses what is still in flight
        }
        MakeRaw(terminal!);
        using (FileStream stream = new(terminal!, FileAccess.ReadWrite, 0))
        {
            byte[] block = new byte[65536];
            long begin = Stopwatch.GetTimestamp();
            stream.Write("g"u8);
            for (int got = 0; got < Total;)
                got += stream.Read(block);
            double time = Stopwatch.GetElapsedTime(begin).TotalMicroseconds;
            _ = Native.LibcKill(child, 9);
            Posix.Wait(child);
            return Total / time;
        }
    }

    private static Func<double> TerminalEcho()
    {
        int child = Posix.ForkPty(out SafeFileHandle? terminal, Runtime);
        byte[] one = [(byte)'a'];
        if (child == 0)
        {
            (FileStream input, FileStream output) = Standard();
            try
            {
                while (input.Read(one) == 1)
                    output.Write(one);
            }
            catch (IOException)
            {
                // the other side is closed
            }
            Posix.Exit(0);
        }
        MakeRaw(terminal!);
        FileStream stream = new(terminal!, FileAccess.ReadWrite, 0);
        return () =>
        {
            long begin = Stopwatch.GetTimestamp();
            stream.Write(one);
            stream.ReadExactly(one);
            return Stopwatch.GetElapsedTime(begin).TotalMicroseconds;
        };
    }

    private static (FileStream, FileStream) Standard() =>
        (new(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, 0), new(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, 0));

    private static unsafe void MakeRaw(SafeFileHandle terminal)
    {
        byte* settings = stackalloc byte[256]; // struct termios is 60 bytes
        int descriptor = (int)terminal.DangerousGetHandle();
        if (GetSettings(descriptor, settings) != 0)
            throw new InvalidOperationException("tcgetattr failed");
        ClearAll(settings);
        if (SetSettings(descriptor, 0, settings) != 0)
            throw new InvalidOperationException("tcsetattr failed");
    }

    [LibraryImport("libc", EntryPoint = "tcgetattr")]
    private static unsafe partial int GetSettings(int descriptor, byte* settings);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    private static unsafe partial void ClearAll(byte* settings);

    [LibraryImport("libc", EntryPoint = "tcsetattr")]
    private static unsafe partial int SetSettings(int descriptor, int when, byte* settings);
}
