using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using StartMethods.Channels;
using StartMethods.Forking;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkServers;

/// <summary>
/// What a child of a fork server is to have of its own: working directory, standard descriptors, file mode mask, resource limits, environment. It is the
/// first frame on the child's own channel, from the application: the server never sees it, so no later child can find it in its memory.
/// </summary>
internal static class Assignment
{
    /// <summary>Of the numbers that the library's own conversations share.</summary>
    internal const FrameType Type = FrameType.User + 15;

    private const byte Version = 1;
    private const int Directory = 0, Input = 1, Output = 2, Error = 3, DescriptorCount = 4;
    private const int FixedSize = 8 + 16 * LimitTable.Count;

    /// <summary>To a spare child: what it was given ahead is what it is to have.</summary>
    internal static FrameContent AsGiven => new(Type);

    /// <summary>Takes a picture of this process, changed as the options of the start say.</summary>
    /// <exception cref="StartMethodException">The directory, or a file for a standard descriptor, cannot be opened; it is named.</exception>
    internal static FrameContent Compose(ChildLaunch launch)
    {
        StdioWiring wiring = new(new SpawnInfo("/"), new StandardStreams(launch.Streams.Input, launch.Streams.Output, launch.Streams.Error));
        SafeFileHandle? directory = null;
        try
        {
            Circumstances own = new() { Size = (uint)Unsafe.SizeOf<Circumstances>() };
            string? wanted = launch.Options.WorkingDirectory;
            int result = Native.CircumstancesTake(wanted is null ? null : SpawnText.Check(wanted, nameof(ChildOptions.WorkingDirectory)), ref own);
            if (result < 0)
                throw new SpawnException("chdir", wanted ?? ".", -result);
            directory = new SafeFileHandle(own.Directory, ownsHandle: true);
            return new FrameContent(Type, Encode(own, Environment(launch)))
            {
                // In the order of their indices; the map is sorted by number.
                Descriptors = [directory, .. wiring.Map.Select(entry => new SafeFileHandle(entry.Source, ownsHandle: false))],
                Sent = () =>
                {
                    wiring.Dispose();
                    directory.Dispose();
                },
            };
        }
        catch
        {
            wiring.Dispose();
            directory?.Dispose();
            throw;
        }
    }

    /// <summary>Makes this process what the frame says.</summary>
    /// <exception cref="StartMethodException">The kernel refused; the step is named.</exception>
    internal static void Become(Frame frame)
    {
        if (frame.Type == Type && frame.Payload.IsEmpty)
            return; // as given ahead
        ReadOnlySpan<byte> environment = Decode(frame, out Circumstances wanted);
        ForkedEnvironment.Become(environment);
        (wanted.Directory, wanted.Input, wanted.Output, wanted.Error) = (Number(frame, Directory), Number(frame, Input), Number(frame, Output), Number(frame, Error));
        int result = Native.CircumstancesBecome(wanted, out BecomeStep step);
        NativeError.ThrowIfFailed(result, step switch
        {
            BecomeStep.Directory => "fchdir to the working directory",
            BecomeStep.Standard => "dup3 to a standard descriptor",
            _ => "setting the resource limits",
        });
        InheritedConsole.Forget();
    }

    internal static byte[] Encode(in Circumstances circumstances, ReadOnlySpan<byte> environment)
    {
        byte[] bytes = new byte[FixedSize + environment.Length];
        bytes[0] = Version;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), circumstances.Mask);
        // At once, not one by one: thirty-two calls are enough for the runtime to compile what was called once more, in each child. Fork servers are little-endian.
        MemoryMarshal.AsBytes((ReadOnlySpan<LimitPair>)circumstances.Limits).CopyTo(bytes.AsSpan(8));
        environment.CopyTo(bytes.AsSpan(FixedSize));
        return bytes;
    }

    /// <summary>Reads the frame; the environment's block is what is returned, the descriptors stay in the frame.</summary>
    /// <exception cref="ProtocolException">It is not what it should be.</exception>
    internal static ReadOnlySpan<byte> Decode(Frame frame, out Circumstances circumstances)
    {
        ReadOnlySpan<byte> bytes = frame.Payload.Span;
        if (frame.Type != Type)
            throw new ProtocolException($"a {frame.Type} frame came where a child's circumstances were expected");
        if (bytes.Length < FixedSize || bytes[0] != Version || (bytes.Length > FixedSize && bytes[^1] != 0))
            throw new ProtocolException("the circumstances of a child are damaged, or another version wrote them");
        if (frame.Descriptors.Length != DescriptorCount)
            throw new ProtocolException($"the circumstances of a child came with {frame.Descriptors.Length} descriptors instead of {DescriptorCount}");
        circumstances = new Circumstances { Size = (uint)Unsafe.SizeOf<Circumstances>(), Mask = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) };
        bytes[8..FixedSize].CopyTo(MemoryMarshal.AsBytes((Span<LimitPair>)circumstances.Limits));
        return bytes[FixedSize..];
    }

    private static int Number(Frame frame, int index) => frame.Descriptors[index].Number;

    // As it was written last, with what it was read from: to write the same again took a third of what a start costs the application.
    internal sealed record Written(string? Text, byte[] Block)
    {
        /// <summary>Whether the environment of this process is still the same; where it cannot be told, it is not.</summary>
        internal bool Holds => Text is not null && EnvironmentText.Is(Text);
    }

    private static volatile Written? s_lastWritten;

    private static byte[] Environment(ChildLaunch launch)
    {
        if (!launch.Options.ClearEnvironment && launch.Options.Environment.Count == 0)
            return OwnEnvironment().Block;
        Dictionary<string, string?> variables = SpawnInfo.CurrentEnvironment();
        launch.FillEnvironment(variables);
        return EncodeEnvironment(variables);
    }

    internal static Written OwnEnvironment()
    {
        if (s_lastWritten is { Holds: true } last)
            return last;
        // The text before the variables: if one is changed in between, the text is the older one, and the next start sees that it is.
        string? text = EnvironmentText.Read();
        return s_lastWritten = new Written(text, EncodeEnvironment(SpawnInfo.CurrentEnvironment()));
    }

    /// <summary>NAME=value, each ended by a zero: what execve calls an environment.</summary>
    /// <exception cref="ArgumentException">A name or a value cannot be in one; it is named.</exception>
    internal static byte[] EncodeEnvironment(Dictionary<string, string?> variables)
    {
        StringBuilder block = new(4096);
        foreach ((string name, string? value) in variables)
        {
            if (value is not null)
                block.Append(SpawnText.Check(name, nameof(ChildOptions.Environment))).Append('=').Append(SpawnText.Check(value, name)).Append('\0');
        }
        return Encoding.UTF8.GetBytes(block.ToString());
    }
}
