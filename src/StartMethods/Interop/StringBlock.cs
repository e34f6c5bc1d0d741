using System.Runtime.InteropServices;
using System.Text;

namespace StartMethods.Interop;

/// <summary>A list of C strings in native memory, as argv and envp are: pointers, a null pointer, then the text. Immutable.</summary>
internal sealed unsafe class StringBlock : SafeHandle
{
    // What is not valid UTF-16 must not arrive as something else.
    private static readonly UTF8Encoding Encoding = new(false, throwOnInvalidBytes: true);

    internal StringBlock(IReadOnlyList<string> strings) : base(0, ownsHandle: true)
    {
        nuint pointers = (nuint)(strings.Count + 1) * (nuint)sizeof(byte*), size = pointers;
        for (int i = 0; i < strings.Count; i++)
            size += (nuint)Encoding.GetByteCount(strings[i]) + 1;
        SetHandle((nint)NativeMemory.Alloc(size));
        byte* text = (byte*)handle + pointers, end = (byte*)handle + size;
        for (int i = 0; i < strings.Count; i++)
        {
            Pointers[i] = text;
            int length = Encoding.GetBytes(strings[i], new Span<byte>(text, checked((int)(end - text))));
            text[length] = 0;
            text += length + 1;
        }
        Pointers[strings.Count] = null;
    }

    /// <summary>The table, for a caller that keeps this object alive.</summary>
    internal byte** Pointers => (byte**)handle;

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        return true;
    }
}
