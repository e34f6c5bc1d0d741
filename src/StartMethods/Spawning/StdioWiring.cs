using System.Runtime.InteropServices;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>Opens what the three standard descriptors are connected to, and keeps every handle alive until the program has been started.</summary>
internal sealed class StdioWiring : IDisposable
{
    private static readonly Lazy<FileDescriptor> NullDevice = new(() => new FileDescriptor(NativeError.ThrowIfFailed(Native.OpenNull(), "open /dev/null")));
    private static readonly string[] Names = ["standard input", "standard output", "standard error"];

    private readonly List<SafeHandle> _childEnds = [];
    private readonly List<SafeHandle> _referenced = [];
    private readonly FileDescriptor?[] _parentEnds = new FileDescriptor?[3];
    private readonly SpawnDescriptor[] _map;

    internal StdioWiring(SpawnInfo info, StandardStreams streams)
    {
        try
        {
            int[] standard = [Connect(0, streams.Input), Connect(1, streams.Output), 0];
            standard[2] = streams.Error.Kind == SpawnStdio.Target.MergeIntoOutput ? standard[1] : Connect(2, streams.Error);
            _map = Arrange(info, streams, standard);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Sorted by target, as the native side wants it.</summary>
    internal SpawnDescriptor[] Map => _map;

    /// <summary>This process's end of a pipe as a stream, or null. Taken over by the caller.</summary>
    internal Stream? TakeStream(int number)
    {
        FileDescriptor? end = _parentEnds[number];
        _parentEnds[number] = null;
        return end is null ? null : new DescriptorStream(end, number == 0 ? ReactorInterest.Write : ReactorInterest.Read);
    }

    public void Dispose()
    {
        foreach (SafeHandle handle in _referenced)
            handle.DangerousRelease();
        _referenced.Clear();
        foreach (SafeHandle end in _childEnds)
            end.Dispose();
        foreach (FileDescriptor? end in _parentEnds)
            end?.Dispose();
    }

    private int Connect(int number, SpawnStdio stdio)
    {
        switch (stdio.Kind)
        {
            case SpawnStdio.Target.Inherit:
                return Native.IsInheritable(number) == 1 ? number : NullDevice.Value.Number; // a program must find all three open, or it writes into its first file
            case SpawnStdio.Target.Null:
                return NullDevice.Value.Number;
            case SpawnStdio.Target.Handle:
                return Reference(stdio.Handle!, Names[number]);
            case SpawnStdio.Target.File:
                return OpenFile(number, stdio);
            case SpawnStdio.Target.Pipe:
                int result = Native.CreatePipe(nonblockingEnd: number == 0 ? 1 : 0, out FileDescriptor? read, out FileDescriptor? write);
                if (result < 0)
                    throw new SpawnException("pipe", $"for {Names[number]}", -result, SpawnFailure.DescriptorRemedy(-result));
                _parentEnds[number] = number == 0 ? write! : read!;
                return Own(number == 0 ? read! : write!);
            default:
                throw new ArgumentException($"{stdio} is for standard error only, not for {Names[number]}.");
        }
    }

    private int OpenFile(int number, SpawnStdio stdio)
    {
        if ((stdio.Mode == OpenKind.Read) != (number == 0))
            throw new ArgumentException($"{Names[number]} cannot be '{stdio}': use ReadFrom for input, WriteTo or AppendTo for output.");
        int descriptor = Native.OpenFile(SpawnText.Check(stdio.Path!, nameof(SpawnStdio)), stdio.Mode);
        return descriptor >= 0 ? Own(new FileDescriptor(descriptor)) : throw new SpawnException($"open {Names[number]}", stdio.Path, -descriptor, SpawnFailure.DescriptorRemedy(-descriptor));
    }

    private SpawnDescriptor[] Arrange(SpawnInfo info, StandardStreams streams, int[] standard)
    {
        if (info.InheritedHandles.Count == 0)
            return [new(standard[0], 0), new(standard[1], 1), new(standard[2], 2)];
        SortedDictionary<int, int> sources = new() { [0] = standard[0], [1] = standard[1], [2] = standard[2] };
        HashSet<int> chosen = [];
        foreach ((SafeHandle handle, int descriptor) in info.InheritedHandles)
        {
            ArgumentNullException.ThrowIfNull(handle, nameof(SpawnInfo.InheritedHandles));
            ArgumentOutOfRangeException.ThrowIfNegative(descriptor, nameof(SpawnInfo.InheritedHandles));
            SpawnStdio? taken = descriptor switch { 0 => streams.Input, 1 => streams.Output, 2 => streams.Error, _ => null };
            if (!chosen.Add(descriptor) || taken is { Kind: not SpawnStdio.Target.Inherit })
                throw new ArgumentException($"Descriptor {descriptor} of the program is given twice.", nameof(SpawnInfo.InheritedHandles));
            sources[descriptor] = Reference(handle, $"inherited handle {descriptor}");
        }
        if (sources.Count > 1000)
            throw new ArgumentException($"{sources.Count} descriptors are too many: at most 1000 can be handed over.", nameof(SpawnInfo.InheritedHandles));
        return [.. sources.Select(pair => new SpawnDescriptor(pair.Value, pair.Key))];
    }

    private int Reference(SafeHandle handle, string what)
    {
        if (handle.IsInvalid || handle.IsClosed)
            throw new ArgumentException($"The handle for {what} is not open.");
        bool referenced = false;
        handle.DangerousAddRef(ref referenced);
        _referenced.Add(handle);
        return (int)handle.DangerousGetHandle();
    }

    private int Own(FileDescriptor end)
    {
        _childEnds.Add(end);
        return end.Number;
    }
}
