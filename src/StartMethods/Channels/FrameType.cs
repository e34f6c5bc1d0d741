namespace StartMethods.Channels;

/// <summary>What a frame is. docs/protocol.md tells the order in which they may come.</summary>
internal enum FrameType : byte
{
    /// <summary>Child → parent, first: protocol version, build id.</summary>
    Hello = 1,

    /// <summary>Parent → child: name, method, limits.</summary>
    Setup = 2,

    /// <summary>Parent → child: the body and its argument.</summary>
    Job = 3,

    /// <summary>Child → parent: the job was understood, the body runs from now on.</summary>
    Started = 4,

    /// <summary>Child → parent: the value that the body returned.</summary>
    Result = 5,

    /// <summary>Child → parent: the exception that the body threw.</summary>
    Failure = 6,

    /// <summary>Parent → child: cancel the body's token.</summary>
    Cancel = 7,

    /// <summary>A message of a conversation that a body of the library itself leads (pool workers, fork servers): the first of sixteen numbers.</summary>
    User = 16,
}

/// <summary>What a frame of a type may hold.</summary>
internal static class FrameRules
{
    /// <summary>The largest payload of a frame that controls: nothing of the user's is in it.</summary>
    internal const int MaxControlPayload = 64 * 1024;

    private const FrameType LastUser = FrameType.User + 15;

    internal static bool IsKnown(FrameType type) => type is (>= FrameType.Hello and <= FrameType.Cancel) or (>= FrameType.User and <= LastUser);

    /// <summary>Whether it carries what the user made: a large payload, large buffers, descriptors.</summary>
    internal static bool CarriesData(FrameType type) => type is FrameType.Job or FrameType.Result or (>= FrameType.User and <= LastUser);

    /// <summary>Whether its payload may exceed <see cref="MaxControlPayload"/>.</summary>
    internal static bool MayBeLarge(FrameType type) => CarriesData(type) || type == FrameType.Failure;
}

/// <summary>What a receiver accepts; a frame beyond it is refused before anything is allocated for it.</summary>
internal sealed class FrameLimits
{
    /// <summary>The default for <see cref="MaxBytes"/>: 1 GiB.</summary>
    internal const long DefaultMaxBytes = 1L << 30;

    internal static readonly FrameLimits Default = new();

    /// <summary>The most bytes of one frame, payload and large buffers together.</summary>
    internal long MaxBytes { get; init; } = DefaultMaxBytes;

    /// <summary>The most large buffers of one frame.</summary>
    internal int MaxLargeBuffers { get; init; } = 4096;

    /// <summary>The most descriptors of one frame.</summary>
    internal int MaxDescriptors { get; init; } = Interop.Native.MaxDescriptors;
}
