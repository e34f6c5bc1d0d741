using StartMethods.Interop;
using System.Runtime.InteropServices;

namespace StartMethods.Channels;

/// <summary>
/// One watched descriptor. Disposing is idempotent and safe from anywhere: from the callback itself it returns at once, from another thread only when no
/// callback of this watch runs any more (so never dispose it under a lock that the callback takes).
/// </summary>
internal sealed class ReactorWatch(Reactor owner, SafeHandle handle, Action ready, ReactorInterest interest, ulong key) : IDisposable
{
    internal SafeHandle Handle => handle;

    internal int Descriptor { get; } = (int)handle.DangerousGetHandle();

    internal Action Ready => ready;

    internal ReactorInterest Interest => interest;

    internal ulong Key => key;

    /// <summary>Arms a <see cref="ReactorInterest.Once"/> watch again after its event.</summary>
    internal void Rearm() => owner.Modify(this, interest);

    /// <summary>Wakes nobody until <see cref="Rearm"/>, except once for an end.</summary>
    internal void Pause() => owner.Modify(this, ReactorInterest.Once);

    public void Dispose() => owner.Remove(this);
}
