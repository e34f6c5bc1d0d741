using System.Runtime.InteropServices;

namespace StartMethods.Payloads;

internal sealed partial class GraphReader
{
    private ReceivedPayload? _payload;

    internal void Begin(ReceivedPayload payload)
    {
        _payload = payload;
        SetInput(payload.Bytes);
    }

    /// <summary>A large buffer. Each belongs to one value only: a second taker would share its memory.</summary>
    internal Memory<byte> TakeBuffer() => _payload!.TakeBuffer(ReadExtensionNumber(WireFormat.OutOfBand));

    /// <summary>A handle that arrived; its descriptor now belongs to the caller.</summary>
    internal nint TakeHandle() => _payload!.TakeHandle(ReadExtensionNumber(WireFormat.Handle));

    /// <summary>Notes something that holds a handle, to be disposed of if the payload turns out to be malformed.</summary>
    internal T Own<T>(T holder) where T : IDisposable
    {
        _payload!.Own(holder);
        return holder;
    }
}
