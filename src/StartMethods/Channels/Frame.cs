using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>A frame that arrived. Whoever takes it owns its descriptors.</summary>
internal sealed class Frame(FrameType type, uint id, ReadOnlyMemory<byte> payload, byte[][] largeBuffers, FileDescriptor[] descriptors) : IDisposable
{
    internal FrameType Type => type;

    internal uint Id => id;

    internal ReadOnlyMemory<byte> Payload => payload;

    internal byte[][] LargeBuffers => largeBuffers;

    internal FileDescriptor[] Descriptors => descriptors;

    /// <summary>Closes the descriptors that nobody took.</summary>
    public void Dispose()
    {
        foreach (FileDescriptor descriptor in descriptors)
            descriptor.Dispose();
    }
}

/// <summary>A frame to send. Everything it refers to must stay as it is until <see cref="Sent"/> was called.</summary>
internal readonly struct FrameContent(FrameType type, ReadOnlyMemory<byte> payload = default)
{
    internal FrameType Type { get; } = type;

    internal uint Id { get; init; }

    internal ReadOnlyMemory<byte> Payload { get; } = payload;

    internal IReadOnlyList<ReadOnlyMemory<byte>>? LargeBuffers { get; init; }

    /// <summary>Descriptors that travel with it; they stay the sender's.</summary>
    internal IReadOnlyList<SafeHandle>? Descriptors { get; init; }

    /// <summary>Called once when nothing of this is needed any more, sent or not.</summary>
    internal Action? Sent { get; init; }
}
