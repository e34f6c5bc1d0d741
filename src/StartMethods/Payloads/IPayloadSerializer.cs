using System.Buffers;

namespace StartMethods;

/// <summary>
/// Takes over how values of the types that it knows are written, in arguments, captured variables and results: the place where MessagePack-CSharp,
/// MemoryPack or a serializer of one's own plugs in. What it does not take is written by the library itself.
/// </summary>
/// <remarks>
/// The serializer itself travels to the child as part of the job, so that the child answers in the same form; it must be an ordinary class
/// whose fields can travel. It is called from several threads at once. What a child sends back should be treated as untrusted input.
/// </remarks>
public interface IPayloadSerializer
{
    /// <summary>Whether values declared as, and being, <paramref name="type"/> are written by this serializer. Must always answer the same.</summary>
    bool CanSerialize(Type type);

    /// <summary>Writes <paramref name="value"/>, which is never null, to <paramref name="output"/>.</summary>
    void Serialize(object value, Type type, IBufferWriter<byte> output);

    /// <summary>Reads a value that <see cref="Serialize"/> wrote. It must be an instance of <paramref name="type"/>.</summary>
    object Deserialize(ReadOnlyMemory<byte> input, Type type);
}
