using System.Runtime.InteropServices;

namespace StartMethods.Interop;

/// <summary>An owned file descriptor. Whoever creates one sets close-on-exec at its creation.</summary>
internal sealed class FileDescriptor : SafeHandle
{
    internal FileDescriptor(int descriptor) : base(-1, ownsHandle: true) => SetHandle(descriptor);

    public override bool IsInvalid => (int)handle < 0;

    /// <summary>The number, for a caller that keeps this object alive itself.</summary>
    internal int Number => (int)handle;

    protected override bool ReleaseHandle() => Native.Close((int)handle) >= 0;
}
