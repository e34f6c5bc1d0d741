namespace StartMethods.Payloads;

/// <summary>
/// The numbers of the payload format. A payload is a sequence of well-formed MessagePack values; what MessagePack lacks (references, types,
/// handles …) are application extension types, so that any MessagePack reader can walk a payload. docs/payloads.md describes it.
/// </summary>
internal static class WireFormat
{
    /// <summary>The first number of every payload. A reader refuses another one.</summary>
    internal const int Version = 1;

    // Extension types. The body of the first group is a big-endian number of 1, 2 or 4 bytes.
    internal const sbyte BackReference = 1;    // the object with this number, in order of first appearance
    internal const sbyte TypeNumber = 2;       // a well-known type, or one defined before
    internal const sbyte OutOfBand = 3;        // the large buffer with this index
    internal const sbyte Handle = 4;           // the operating system handle with this index
    internal const sbyte FunctionNumber = 5;   // a function defined before
    internal const sbyte WellKnown = 6;        // a singleton of the framework, such as StringComparer.Ordinal
    internal const sbyte Deferred = 7;         // a new object whose content follows behind the graph (deep graphs, targets of delegates)

    // The body of the second group is a sequence of MessagePack values, or bytes.
    internal const sbyte TypeDefinition = 16;
    internal const sbyte FunctionDefinition = 17;
    internal const sbyte Utf16 = 18;           // a string with lone surrogates, which UTF-8 cannot hold: UTF-16, little endian
    internal const sbyte Foreign = 19;         // what an IPayloadSerializer wrote

    /// <summary>From this size on, a buffer is referenced instead of copied, and the channel carries it beside the frame.</summary>
    internal const int OutOfBandThreshold = 256 * 1024;

    /// <summary>Depth from which on an object's content is put behind the graph instead of into it, so that no graph is too deep for the stack.</summary>
    internal const int DeferDepth = 128;

    /// <summary>Depth that nothing may exceed: reached only by nesting values that cannot be deferred, such as immutable collections.</summary>
    internal const int MaximumDepth = 512;
}
