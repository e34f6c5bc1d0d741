using System.ComponentModel;
using System.Runtime.InteropServices;

namespace TestChild.ForkServers;

/// <summary>Takes something from this process and all that come of it: seccomp(2), as a container's profile does.</summary>
internal static partial class SystemCallFilter
{
    private const ushort Load = 0x20, And = 0x54, JumpIfEqual = 0x15, Return = 0x06;
    private const uint Number = 0, FirstArgument = 16, SecondArgument = 24, ThirdArgument = 32; // in struct seccomp_data, the lower halves
    private const uint Allow = 0x7fff0000, Error = 0x00050000, NotPermitted = 1;
    private const uint Clone = 56, Kill = 62, CloneVm = 0x100, Hangup = 1, Pipe2 = 293, SocketPair = 53, TooManyFilesInSystem = 23;
    private const uint EndProcess = 0x80000000, SignalThread = 234, Activation = 34, ReplaceDescriptor = 292;

    /// <summary>No process can be copied. Threads, and programs started by vfork, can.</summary>
    internal static void RefuseForks() => Install(
    [
        new(Load, 0, 0, Number), new(JumpIfEqual, 0, 4, Clone),
        new(Load, 0, 0, FirstArgument), new(And, 0, 0, CloneVm), new(JumpIfEqual, 0, 1, 0),
        new(Return, 0, 0, Error | NotPermitted), new(Return, 0, 0, Allow),
    ]);

    /// <summary>SIGHUP never arrives, although kill(2) says that it was sent.</summary>
    internal static void LoseHangups() => Install(
    [
        new(Load, 0, 0, Number), new(JumpIfEqual, 0, 3, Kill),
        new(Load, 0, 0, SecondArgument), new(JumpIfEqual, 0, 1, Hangup),
        new(Return, 0, 0, Error), new(Return, 0, 0, Allow),
    ]);

    /// <summary>The signal with which the runtime stops a thread for a collection never arrives, although tgkill(2) says that it was sent.</summary>
    internal static void LoseActivations() => Install(
    [
        new(Load, 0, 0, Number), new(JumpIfEqual, 0, 3, SignalThread),
        new(Load, 0, 0, ThirdArgument), new(JumpIfEqual, 0, 1, Activation),
        new(Return, 0, 0, Error), new(Return, 0, 0, Allow),
    ]);

    /// <summary>Ends a process that calls dup3(2), which a forked child does before it has its threads back.</summary>
    internal static void EndWhoReplacesDescriptors() => Install(
    [
        new(Load, 0, 0, Number), new(JumpIfEqual, 0, 1, ReplaceDescriptor),
        new(Return, 0, 0, EndProcess), new(Return, 0, 0, Allow),
    ]);

    /// <summary>No pipe and no socket pair can be made: ENFILE, as if the system had no file left.</summary>
    internal static void RefusePipes() => Install(
    [
        new(Load, 0, 0, Number), new(JumpIfEqual, 1, 0, Pipe2), new(JumpIfEqual, 0, 1, SocketPair),
        new(Return, 0, 0, Error | TooManyFilesInSystem), new(Return, 0, 0, Allow),
    ]);

    private static unsafe void Install(Instruction[] program)
    {
        const int noNewPrivileges = 38, seccomp = 317, setModeFilter = 1, allThreads = 1;
        fixed (Instruction* first = program)
        {
            Program description = new() { Length = (ushort)program.Length, Instructions = first };
            if (Prctl(noNewPrivileges, 1, 0, 0, 0) != 0 || Syscall(seccomp, setModeFilter, allThreads, &description) != 0)
                throw new Win32Exception();
        }
    }

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial nint Syscall(nint number, nint operation, nint flags, void* argument);

    private readonly record struct Instruction(ushort Code, byte IfTrue, byte IfFalse, uint Value);

    private unsafe struct Program
    {
        internal ushort Length;
        internal Instruction* Instructions;
    }
}
