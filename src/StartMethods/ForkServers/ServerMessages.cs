using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

// Everything that an application and its fork server say to each other (docs/protocol.md). Each message is one datagram of a SOCK_SEQPACKET pair:
//   version (1 byte), kind (1 byte), number of descriptors (2 bytes), id (4 bytes), CRC-32C of all that follows (4 bytes), fields.
// Descriptors travel beside it and are named by their index. A message that may not carry one and does is refused.

/// <summary>What a message is.</summary>
internal enum ServerMessageKind : byte
{
    /// <summary>Server → application, first and once.</summary>
    Ready = 1,

    /// <summary>Application → server; a descriptor.</summary>
    Fork = 2,

    /// <summary>Server → application; a descriptor.</summary>
    Forked = 3,

    /// <summary>Server → application.</summary>
    Refused = 4,

    /// <summary>Application → server.</summary>
    Learn = 5,
}

/// <summary>The server is warm and takes requests; or, where <see cref="Unsupported"/> is not empty, it never will, and why.</summary>
/// <param name="Unsupported">Why this runtime cannot be forked; empty where it can.</param>
/// <param name="Unsafe">Threads that the preload left behind and that make forking unsafe: each start fails with this text. Empty where there are none.</param>
/// <param name="Warning">Threads that the preload left behind and that forking copes with. Empty where there are none.</param>
/// <param name="HasHooks">Whether the preload has registered hooks of <see cref="AtFork"/>, which run for each child.</param>
internal readonly record struct ReadyMessage(string Unsupported, string Unsafe, string Warning, bool HasHooks);

/// <summary>Fork a child. It gets the descriptor, its channel; as a spare it practises before it listens to that.</summary>
internal readonly record struct ForkMessage(uint Id, bool IsSpare, int SocketIndex);

/// <summary>The child exists.</summary>
/// <param name="Id">Of the request.</param>
/// <param name="ProcessId">The child's, in the server's own pid namespace, which is the application's.</param>
/// <param name="PidfdIndex">Its pidfd; −1: the kernel gave none.</param>
internal readonly record struct ForkedMessage(uint Id, int ProcessId, int PidfdIndex);

/// <summary>There is no child.</summary>
internal readonly record struct RefusedMessage(uint Id, int ErrorNumber, string Reason);

// Learn has one field: a function's definition, as it stands in the payload of a job, to the end of the message. It is never answered.

/// <summary>The messages as bytes.</summary>
internal static class ServerMessages
{
    internal const byte Version = 1;
    internal const int HeaderSize = 12;

    /// <summary>No message is larger: texts are cut before.</summary>
    internal const int MaxSize = 16 * 1024;

    private const int MaxText = 4 * 1024;

    internal static int Write(Span<byte> target, in ReadyMessage message)
    {
        int at = Text(target, HeaderSize, message.Unsupported);
        at = Text(target, at, message.Unsafe);
        at = Text(target, at, message.Warning);
        target[at] = message.HasHooks ? (byte)1 : (byte)0;
        return Finish(target, ServerMessageKind.Ready, 0, 0, at + 1);
    }

    internal static int Write(Span<byte> target, in ForkMessage message)
    {
        target[HeaderSize] = message.IsSpare ? (byte)1 : (byte)0;
        return Finish(target, ServerMessageKind.Fork, message.Id, 1, HeaderSize + 1);
    }

    internal static int Write(Span<byte> target, in ForkedMessage message)
    {
        BinaryPrimitives.WriteInt32LittleEndian(target[HeaderSize..], message.ProcessId);
        return Finish(target, ServerMessageKind.Forked, message.Id, message.PidfdIndex < 0 ? 0 : 1, HeaderSize + 4);
    }

    internal static int Write(Span<byte> target, in RefusedMessage message)
    {
        BinaryPrimitives.WriteInt32LittleEndian(target[HeaderSize..], message.ErrorNumber);
        return Finish(target, ServerMessageKind.Refused, message.Id, 0, Text(target, HeaderSize + 4, message.Reason));
    }

    /// <summary>A Learn message.</summary>
    /// <returns>Its size; 0: it would be too large, and is not worth being sent in parts.</returns>
    internal static int WriteLearn(Span<byte> target, ReadOnlySpan<byte> definition)
    {
        if (definition.Length > target.Length - HeaderSize)
            return 0;
        definition.CopyTo(target[HeaderSize..]);
        return Finish(target, ServerMessageKind.Learn, 0, 0, HeaderSize + definition.Length);
    }

    internal static ReadOnlySpan<byte> ReadLearn(ReadOnlySpan<byte> message) => message[HeaderSize..];

    /// <summary>What kind of message it is, once its frame was found sound.</summary>
    /// <exception cref="ProtocolException">It is damaged, of another version, or carries descriptors that it may not.</exception>
    internal static ServerMessageKind Check(ReadOnlySpan<byte> message, int descriptors)
    {
        if (message.Length < HeaderSize)
            throw new ProtocolException($"a message of {message.Length} bytes is too short");
        if (message[0] != Version)
            throw new ProtocolException($"a message of version {message[0]} where {Version} is spoken");
        ServerMessageKind kind = (ServerMessageKind)message[1];
        if (kind is < ServerMessageKind.Ready or > ServerMessageKind.Learn)
            throw new ProtocolException($"a message of unknown kind {message[1]}");
        if (BinaryPrimitives.ReadUInt32LittleEndian(message[8..]) != Checksum(message))
            throw new ProtocolException($"the checksum of a {kind} message is wrong");
        int announced = BinaryPrimitives.ReadUInt16LittleEndian(message[2..]);
        if (announced != descriptors)
            throw new ProtocolException($"a {kind} message announces {announced} descriptors, {descriptors} arrived");
        (int least, int most) = kind switch
        {
            ServerMessageKind.Fork => (1, 1),
            ServerMessageKind.Forked => (0, 1),
            _ => (0, 0),
        };
        return descriptors >= least && descriptors <= most ? kind : throw new ProtocolException($"a {kind} message with {descriptors} descriptors");
    }

    internal static uint IdOf(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt32LittleEndian(message[4..]);

    internal static ReadyMessage ReadReady(ReadOnlySpan<byte> message)
    {
        int at = HeaderSize;
        return End(message, new ReadyMessage(Text(message, ref at), Text(message, ref at), Text(message, ref at), Flag(message, ref at)), at);
    }

    internal static ForkMessage ReadFork(ReadOnlySpan<byte> message)
    {
        Exactly(message, 1);
        byte spare = message[HeaderSize];
        return spare <= 1 ? new ForkMessage(IdOf(message), spare == 1, 0) : throw new ProtocolException("a Fork message with an unknown flag");
    }

    internal static ForkedMessage ReadForked(ReadOnlySpan<byte> message)
    {
        Exactly(message, 4);
        return new ForkedMessage(IdOf(message), ProcessId(message), BinaryPrimitives.ReadUInt16LittleEndian(message[2..]) == 1 ? 0 : -1);
    }

    internal static RefusedMessage ReadRefused(ReadOnlySpan<byte> message)
    {
        int at = HeaderSize + 4;
        if (message.Length < at)
            throw Wrong(message);
        return End(message, new RefusedMessage(IdOf(message), BinaryPrimitives.ReadInt32LittleEndian(message[HeaderSize..]), Text(message, ref at)), at);
    }

    private static int ProcessId(ReadOnlySpan<byte> message)
    {
        int id = BinaryPrimitives.ReadInt32LittleEndian(message[HeaderSize..]);
        return id > 0 ? id : throw new ProtocolException($"a process id of {id}");
    }

    private static void Exactly(ReadOnlySpan<byte> message, int fields)
    {
        if (message.Length != HeaderSize + fields)
            throw Wrong(message);
    }

    // `at` is where the fields of the value, read before it, have ended.
    private static T End<T>(ReadOnlySpan<byte> message, T value, int at) => at == message.Length ? value : throw Wrong(message);

    private static ProtocolException Wrong(ReadOnlySpan<byte> message) => new($"a {(ServerMessageKind)message[1]} message of {message.Length} bytes");

    private static int Finish(Span<byte> target, ServerMessageKind kind, uint id, int descriptors, int size)
    {
        target[0] = Version;
        target[1] = (byte)kind;
        BinaryPrimitives.WriteUInt16LittleEndian(target[2..], (ushort)descriptors);
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], id);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], Checksum(target[..size]));
        return size;
    }

    private static uint Checksum(ReadOnlySpan<byte> message) => Crc32C.Compute(message[..8], message[HeaderSize..]);

    private static int Text(Span<byte> target, int at, string text)
    {
        // Cut between characters: a reason that is too long is better read in part than not at all.
        Utf8.FromUtf16(text, target.Slice(at + 2, MaxText), out _, out int length);
        BinaryPrimitives.WriteUInt16LittleEndian(target[at..], (ushort)length);
        return at + 2 + length;
    }

    private static bool Flag(ReadOnlySpan<byte> message, ref int at) => at < message.Length && message[at] <= 1 ? message[at++] == 1 : throw Wrong(message);

    private static string Text(ReadOnlySpan<byte> message, ref int at)
    {
        int length = message.Length >= at + 2 ? BinaryPrimitives.ReadUInt16LittleEndian(message[at..]) : int.MaxValue;
        if (length > message.Length - at - 2)
            throw Wrong(message);
        string text = Encoding.UTF8.GetString(message.Slice(at + 2, length));
        at += 2 + length;
        return text;
    }
}
