using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace StartMethods.Interop;

/// <summary>The managed form of one <c>sm_spawn</c>: strings and lists, which <see cref="Invoke"/> lays out in one native block for the call.</summary>
internal sealed unsafe class SpawnCall
{
    // An argument that is not valid UTF-16 must not arrive as something else.
    private static readonly UTF8Encoding Encoding = new(false, throwOnInvalidBytes: true);

    internal required string File { get; init; }
    internal string? SearchPath { get; init; }
    internal required IReadOnlyList<string> Arguments { get; init; }
    internal required IReadOnlyList<string> Environment { get; init; }
    internal string? Directory { get; init; }
    internal required SpawnDescriptor[] Descriptors { get; init; }
    internal SpawnLimit[] Limits { get; init; } = [];
    internal uint[] Groups { get; init; } = [];
    internal byte[] Affinity { get; init; } = [];

    /// <summary>The fields without a pointer; the others are filled in by <see cref="Invoke"/>.</summary>
    internal SpawnOptions Options;

    /// <summary>Starts the program; returns 0 or −errno.</summary>
    internal int Invoke(out SpawnResult result)
    {
        nuint pointers = (nuint)(Arguments.Count + Environment.Count + 2) * (nuint)sizeof(byte*);
        nuint size = pointers + Length(File) + Length(SearchPath) + Length(Directory);
        foreach (string argument in Arguments)
            size += Length(argument);
        foreach (string variable in Environment)
            size += Length(variable);

        byte* block = (byte*)NativeMemory.Alloc(size);
        try
        {
            byte** table = (byte**)block;
            byte* text = block + pointers, end = block + size;
            Options.Size = (uint)sizeof(SpawnOptions);
            Options.File = Put(File, ref text, end);
            Options.SearchPath = Put(SearchPath, ref text, end);
            Options.Directory = Put(Directory, ref text, end);
            Options.Arguments = PutAll(Arguments, ref table, ref text, end);
            Options.Environment = PutAll(Environment, ref table, ref text, end);
            return InvokePinned(out result);
        }
        finally
        {
            NativeMemory.Free(block);
        }
    }

    private int InvokePinned(out SpawnResult result)
    {
        SpawnResult answer = new() { Size = (uint)sizeof(SpawnResult) };
        fixed (SpawnDescriptor* descriptors = Descriptors)
        fixed (SpawnLimit* limits = Limits)
        fixed (uint* groups = Groups)
        fixed (byte* affinity = Affinity)
        fixed (SpawnOptions* options = &Options)
        {
            options->Descriptors = descriptors;
            options->DescriptorCount = (uint)Descriptors.Length;
            options->Limits = limits;
            options->LimitCount = (uint)Limits.Length;
            options->Groups = groups;
            options->GroupCount = (uint)Groups.Length;
            options->Affinity = affinity;
            options->AffinityBytes = (uint)Affinity.Length;
            int outcome = Native.Spawn(options, &answer);
            result = answer;
            return outcome;
        }
    }

    private static nuint Length(string? text) => text is null ? 0 : (nuint)Encoding.GetByteCount(text) + 1;

    private static byte* Put(string? value, ref byte* text, byte* end)
    {
        if (value is null)
            return null;
        byte* start = text;
        int length = Encoding.GetBytes(value, new Span<byte>(start, checked((int)(end - start))));
        start[length] = 0;
        text = start + length + 1;
        return start;
    }

    private static byte** PutAll(IReadOnlyList<string> values, ref byte** table, ref byte* text, byte* end)
    {
        byte** start = table;
        foreach (string value in values)
            *table++ = Put(value, ref text, end);
        *table++ = null;
        return start;
    }
}
