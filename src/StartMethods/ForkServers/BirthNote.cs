using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StartMethods.Interop;

namespace StartMethods.ForkServers;

/// <summary>
/// A page that an application shares with one of its servers. Before each fork the server writes there for which request it is, and the kernel writes the child's id, before the
/// child runs and before any signal can end the server. So the application, whose child it is, knows it also if neither server nor child ever says a word.
/// </summary>
internal sealed unsafe class BirthNote : SafeHandle
{
    private const int Size = 4096, Request = 0, ChildId = 1;

    private BirthNote(nint address) : base(0, ownsHandle: true) => SetHandle(address);

    public override bool IsInvalid => handle == 0;

    /// <summary>Makes one: the descriptor for the server, and the application's side.</summary>
    internal static (SafeFileHandle Memory, BirthNote Note) Create()
    {
        SafeFileHandle memory = new(NativeError.ThrowIfFailed(Native.RingCreate(Size), "memfd_create for a fork server"), ownsHandle: true);
        try
        {
            return (memory, new BirthNote(Map(memory)));
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>The server's side, for as long as it lives. Its children do not have it.</summary>
    internal static nint Open(SafeFileHandle memory)
    {
        nint note = Map(memory);
        NativeError.ThrowIfFailed(Native.MemoryKeepFromChildren((void*)note, Size), "madvise");
        return note;
    }

    /// <summary>In the server, before a fork. Returns where the kernel is to note the child.</summary>
    internal static nint Expect(nint note, uint request)
    {
        int* fields = (int*)note;
        fields[Request] = (int)request;
        fields[ChildId] = 0;
        return (nint)(fields + ChildId);
    }

    /// <summary>In the application, once the server has ended: the child of this request, if its last fork was for that one and has succeeded; else 0.</summary>
    internal int ChildOf(uint request)
    {
        int* fields = (int*)handle;
        return fields[Request] == (int)request ? fields[ChildId] : 0;
    }

    protected override bool ReleaseHandle() => Native.RingUnmap((void*)handle, Size) >= 0;

    private static nint Map(SafeFileHandle memory)
    {
        void* address;
        NativeError.ThrowIfFailed(Native.RingMap((int)memory.DangerousGetHandle(), Size, &address), "mapping a page shared with a fork server");
        return (nint)address;
    }
}
