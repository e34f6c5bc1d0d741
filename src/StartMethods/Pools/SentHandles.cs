using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Pools;

/// <summary>
/// The handles of one task: duplicates, made when the task was, so that the caller may close his own at once. They stay until the task has ended, since it may be
/// sent again, and until no frame that is on its way needs them.
/// </summary>
internal sealed class SentHandles
{
    private readonly FileDescriptor[] _descriptors;
    private int _users = 1;

    /// <summary>Duplicates them.</summary>
    /// <exception cref="StartMethodException">No descriptor is left.</exception>
    /// <exception cref="ObjectDisposedException">One was closed meanwhile.</exception>
    internal SentHandles(IReadOnlyList<SafeHandle> handles)
    {
        _descriptors = new FileDescriptor[handles.Count];
        try
        {
            for (int i = 0; i < handles.Count; i++)
                _descriptors[i] = Duplicate(handles[i]);
        }
        catch
        {
            Release();
            throw;
        }
    }

    internal IReadOnlyList<SafeHandle> Descriptors => _descriptors;

    private static FileDescriptor Duplicate(SafeHandle handle)
    {
        bool added = false;
        try
        {
            handle.DangerousAddRef(ref added);
            return new FileDescriptor(NativeError.ThrowIfFailed(Native.ChannelDuplicate((int)handle.DangerousGetHandle()), "fcntl(F_DUPFD_CLOEXEC) for the handle of a task"));
        }
        finally
        {
            if (added)
                handle.DangerousRelease();
        }
    }

    internal void Retain() => Interlocked.Increment(ref _users);

    internal void Release()
    {
        if (Interlocked.Decrement(ref _users) > 0)
            return;
        foreach (FileDescriptor? descriptor in _descriptors)
            descriptor?.Dispose();
    }
}
