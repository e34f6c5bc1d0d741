using System.Runtime.InteropServices;

namespace StartMethods.Interop;

internal static partial class Native
{
    /// <summary>Gives memory that native code has freed back to the system: malloc_trim(3).</summary>
    [LibraryImport(Library, EntryPoint = "sm_memory_trim")]
    internal static partial void MemoryTrim();

    /// <summary>Children of a fork do not have this memory: madvise(2), MADV_DONTFORK.</summary>
    [LibraryImport(Library, EntryPoint = "sm_memory_keep_from_children")]
    internal static unsafe partial int MemoryKeepFromChildren(void* address, ulong size);

    /// <summary>Puts what is used of the heap on huge pages. Returns their bytes, or a negative error number: there are none here.</summary>
    [LibraryImport(Library, EntryPoint = "sm_memory_collapse")]
    internal static partial long MemoryCollapse();
}
