using StartMethods.Channels;
using StartMethods.Payloads;

namespace StartMethods.Bootstrap;

/// <summary>Payloads as frames, and back: the one place where what travels meets how it travels.</summary>
internal static class PayloadFrames
{
    /// <summary>A frame that sends the payload, and disposes of it when it has left.</summary>
    internal static FrameContent Content(FrameType type, EncodedPayload payload) => new(type, payload.Bytes)
    {
        LargeBuffers = payload.Buffers is ReadOnlyMemory<byte>[] { Length: 0 } ? null : payload.Buffers,
        Descriptors = payload.Handles.Count == 0 ? null : payload.Handles,
        Sent = payload.Dispose,
    };

    /// <summary>What a frame brought. The payload takes the descriptors over.</summary>
    internal static ReceivedPayload Take(Frame frame)
    {
        // Null rather than empty lists: a young child would have to compile the code that looks into them.
        Memory<byte>[]? buffers = frame.LargeBuffers.Length == 0 ? null : Array.ConvertAll(frame.LargeBuffers, buffer => new Memory<byte>(buffer));
        return new ReceivedPayload(frame.Payload, frame.Descriptors.Length == 0 ? null : frame.Descriptors, buffers);
    }
}
