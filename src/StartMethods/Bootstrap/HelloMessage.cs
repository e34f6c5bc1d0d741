using System.Buffers.Binary;

namespace StartMethods.Bootstrap;

/// <summary>The first thing that a child says: which build of the library it runs.</summary>
internal readonly record struct HelloMessage(uint ProtocolVersion, Guid BuildId, int ProcessId)
{
    internal const uint CurrentProtocol = 1;
    private const int Size = 24;

    internal static HelloMessage Own => new(CurrentProtocol, typeof(HelloMessage).Module.ModuleVersionId, Environment.ProcessId);

    internal byte[] Encode()
    {
        byte[] bytes = new byte[Size];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, ProtocolVersion);
        BuildId.TryWriteBytes(bytes.AsSpan(4));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(20), ProcessId);
        return bytes;
    }

    /// <summary>What is wrong with it; null where the other side runs this very build.</summary>
    internal static string? Check(ReadOnlySpan<byte> bytes)
    {
        uint version = bytes.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;
        if (version != CurrentProtocol || bytes.Length != Size)
            return $"build id mismatch: the child speaks protocol {version}, this process {CurrentProtocol}. {Remedy}";
        Guid build = new(bytes.Slice(4, 16));
        Guid own = Own.BuildId;
        return build == own ? null : $"build id mismatch: the child runs StartMethods.dll {build}, this process {own}. {Remedy}";
    }

    private const string Remedy = "The application's files were probably replaced while it was running: restart it.";
}
