using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary><c>sm_message</c>: what one <c>sm_channel_send</c> or <c>sm_channel_receive</c> moves.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ChannelMessage
{
    internal uint Size;
    internal int DescriptorCount;
    internal byte* First;
    internal ulong FirstLength;
    internal byte* Second;
    internal ulong SecondLength;
    internal int* Descriptors;
    internal ulong Reserved;
    internal MessageFlags Flags;
    internal uint Reserved2;
}

/// <summary>SM_MESSAGE_*.</summary>
[Flags]
internal enum MessageFlags : uint
{
    None = 0,

    /// <summary>−EAGAIN rather than waiting.</summary>
    DontWait = 1,

    /// <summary>Receive: wait until the buffers are full or the stream ends.</summary>
    WaitAll = 2,

    /// <summary>Set by receive: more descriptors arrived than there was room for, and they are closed.</summary>
    Surplus = 4,
}

internal static partial class Native
{
    /// <summary>SM_MAX_DESCRIPTORS: the most descriptors that one message carries.</summary>
    internal const int MaxDescriptors = 253;

    [LibraryImport(Library, EntryPoint = "sm_channel_pair")]
    internal static unsafe partial int ChannelPair(int* ends);

    [LibraryImport(Library, EntryPoint = "sm_channel_send")]
    internal static unsafe partial long ChannelSend(int channel, ChannelMessage* message);

    [LibraryImport(Library, EntryPoint = "sm_channel_receive")]
    internal static unsafe partial long ChannelReceive(int channel, ChannelMessage* message);

    [LibraryImport(Library, EntryPoint = "sm_channel_await")]
    internal static partial int ChannelAwait(int channel, long microseconds);

    [LibraryImport(Library, EntryPoint = "sm_channel_is_socket")]
    internal static partial int ChannelIsSocket(int descriptor);

    [LibraryImport(Library, EntryPoint = "sm_channel_duplicate")]
    internal static partial int ChannelDuplicate(int descriptor);

    [LibraryImport(Library, EntryPoint = "sm_channel_shutdown")]
    internal static partial int ChannelShutdown(int descriptor);

    [LibraryImport(Library, EntryPoint = "sm_set_standard_descriptor")]
    internal static partial int SetStandardDescriptor(int descriptor, int number);

    [LibraryImport(Library, EntryPoint = "sm_relay")]
    internal static unsafe partial int Relay(int from, int to, byte* buffer, int capacity);

    [LibraryImport(Library, EntryPoint = "sm_timer_create")]
    internal static partial int TimerCreate(long milliseconds);

    [LibraryImport(Library, EntryPoint = "sm_timer_arm")]
    internal static partial int TimerArm(int timer, long milliseconds);

    [LibraryImport(Library, EntryPoint = "sm_timer_wait")]
    internal static partial void TimerWait(int timer);

    [LibraryImport(Library, EntryPoint = "sm_set_close_on_exec")]
    internal static partial int SetCloseOnExec(int descriptor, int enabled);

    [LibraryImport(Library, EntryPoint = "sm_environment_set")]
    private static unsafe partial int EnvironmentSet(byte* name, byte* value);

    /// <summary>Changes the environment that native code sees, which .NET keeps apart from its own.</summary>
    internal static unsafe void SetEnvironment(string name, string? value)
    {
        fixed (byte* nameBytes = Text(name), valueBytes = value is null ? null : Text(value))
            NativeError.ThrowIfFailed(EnvironmentSet(nameBytes, valueBytes), $"setenv({name})");

        static byte[] Text(string text) => System.Text.Encoding.UTF8.GetBytes(text + '\0');
    }

    [LibraryImport(Library, EntryPoint = "sm_has_room_for")]
    internal static partial int HasRoomFor(int descriptors);

    [LibraryImport(Library, EntryPoint = "sm_gate_wait")]
    internal static partial void GateWait(nint gate);

    [LibraryImport(Library, EntryPoint = "sm_gate_open")]
    internal static partial void GateOpen(nint gate);

    [LibraryImport(Library, EntryPoint = "sm_pause")]
    internal static partial void Pause(long microseconds);

    /// <summary>Returns only from SM_EXIT_REHEARSAL.</summary>
    [LibraryImport(Library, EntryPoint = "sm_exit_now")]
    internal static partial void ExitNow(int code);
}
