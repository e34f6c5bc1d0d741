using System.Buffers.Binary;
using System.Text;

namespace StartMethods.Bootstrap;

/// <summary>What a child is told before its job: who it is, and how it is to end.</summary>
internal sealed record SetupMessage
{
    internal required string Name { get; init; }

    internal required string MethodName { get; init; }

    internal required int ParentId { get; init; }

    /// <summary>Depth of the child itself: 1 for a child of the application.</summary>
    internal required int Depth { get; init; }

    /// <summary>Whether it goes on when the parent is gone.</summary>
    internal bool Detached { get; init; }

    /// <summary>Whether the body itself notices the parent's end: no thread of the library reads the channel, and the body gets no token.</summary>
    internal bool OwnsChannel { get; init; }

    /// <summary>
    /// Whether somebody waits for the answer rather than for the end: the child lets it arrive before it ends. Taking a process apart occupies the processor, and whoever was
    /// just woken on that one would wait for it.
    /// </summary>
    internal bool AnswersFirst { get; init; }

    /// <summary>How long the body may take to leave when the parent is gone.</summary>
    internal TimeSpan ExitGrace { get; init; }

    /// <summary>The most bytes that the parent accepts as a result.</summary>
    internal long MaxResultBytes { get; init; }

    internal byte[] Encode()
    {
        byte[] name = Encoding.UTF8.GetBytes(Name), method = Encoding.UTF8.GetBytes(MethodName);
        byte[] bytes = new byte[FixedSize + name.Length + method.Length];
        Span<byte> at = bytes;
        BinaryPrimitives.WriteInt32LittleEndian(at, ParentId);
        BinaryPrimitives.WriteInt32LittleEndian(at[4..], Depth);
        BinaryPrimitives.WriteInt32LittleEndian(at[8..], (Detached ? DetachedFlag : 0) | (OwnsChannel ? OwnsChannelFlag : 0) | (AnswersFirst ? AnswersFirstFlag : 0));
        BinaryPrimitives.WriteInt32LittleEndian(at[12..], (int)Math.Min(int.MaxValue, ExitGrace.TotalMilliseconds));
        BinaryPrimitives.WriteInt64LittleEndian(at[16..], MaxResultBytes);
        BinaryPrimitives.WriteInt32LittleEndian(at[24..], name.Length);
        name.CopyTo(at[FixedSize..]);
        method.CopyTo(at[(FixedSize + name.Length)..]);
        return bytes;
    }

    internal static SetupMessage Decode(ReadOnlySpan<byte> bytes)
    {
        int nameLength = bytes.Length >= FixedSize ? BinaryPrimitives.ReadInt32LittleEndian(bytes[24..]) : -1;
        if (nameLength < 0 || nameLength > bytes.Length - FixedSize)
            throw new Channels.ProtocolException("the setup of a child is damaged");
        return new SetupMessage
        {
            ParentId = BinaryPrimitives.ReadInt32LittleEndian(bytes),
            Depth = BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]),
            Detached = (BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]) & DetachedFlag) != 0,
            OwnsChannel = (BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]) & OwnsChannelFlag) != 0,
            AnswersFirst = (BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]) & AnswersFirstFlag) != 0,
            ExitGrace = TimeSpan.FromMilliseconds(BinaryPrimitives.ReadInt32LittleEndian(bytes[12..])),
            MaxResultBytes = BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]),
            Name = Encoding.UTF8.GetString(bytes.Slice(FixedSize, nameLength)),
            MethodName = Encoding.UTF8.GetString(bytes[(FixedSize + nameLength)..]),
        };
    }

    private const int FixedSize = 28, DetachedFlag = 1, OwnsChannelFlag = 2, AnswersFirstFlag = 4;
}
