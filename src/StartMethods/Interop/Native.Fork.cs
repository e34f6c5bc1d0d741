using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace StartMethods.Interop;

/// <summary>SM_FORK_*.</summary>
[Flags]
internal enum ForkFlags : uint { None = 0, ReviveAll = 1, CloneParent = 2, NoWait = 4, KeepSockets = 8, Strict = 16, Canary = 32, NoLocks = 64, Dormant = 128, Hold = 256, OwnData = 512, LateRuntime = 1024, OnlySafe = 2048, PoolRests = 4096, Search = 8192 }

/// <summary>SM_THREAD_*: what a thread is for.</summary>
internal enum NativeThreadKind { Caller, Main, Runtime, Pool, Gate, Timer, Sockets, Library, User, Foreign }

/// <summary>sm_fork_setup.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ForkSetup
{
    internal uint Size, NeedsThreadMap;
    internal nint ContractDescriptor, RseqOffset, RseqSize;
}

/// <summary>sm_thread_policy: what becomes of one thread in the child.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ThreadPolicy
{
    internal int ThreadId, Action;
    internal const int Revive = 0, Freeze = 1;
}

/// <summary>sm_fork_options.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeForkOptions
{
    internal uint Size;
    internal ForkFlags Flags;
    internal ulong DeadlineMicroseconds, QuietMicroseconds;
    internal int* Kept;
    internal ThreadPolicy* Policies;
    internal uint KeptCount, PolicyCount;
    internal int* Birth;
}

/// <summary>sm_fork_result.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeForkResult
{
    internal uint Size;
    internal int ProcessId, Pidfd, Tries;
    internal ulong CaptureNanoseconds, ForkNanoseconds, ChildNanoseconds, ParkedNanoseconds;
    internal uint Threads, Revived, Frozen, Owners, Searched;
    internal int Quiet, Culprit;
    internal NativeThreadKind CulpritKind;
    internal int CulpritSyscall;
    private fixed byte _culpritName[16];
    private fixed byte _why[228];

    internal readonly string CulpritName { get { fixed (byte* name = _culpritName) return Text(name, 16); } }
    internal readonly string Why { get { fixed (byte* why = _why) return Text(why, 228); } }

    internal static string Text(byte* text, int size) => Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpan(ref *text, size) is var all && all.IndexOf((byte)0) is >= 0 and var end ? all[..end] : all);
}

/// <summary>sm_thread_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeThreadInfo
{
    internal int ThreadId;
    internal NativeThreadKind Kind;
    internal int ManagedId, Mode, Syscall, Parked, Detail;
    internal uint State;
    private fixed byte _name[16];

    internal readonly string Name { get { fixed (byte* name = _name) return NativeForkResult.Text(name, 16); } }
}

internal static unsafe partial class Native
{
    /// <summary>Returns twice: 0 in the child. Only <c>Forking.ForkEngine</c> calls it.</summary>
    [LibraryImport(Library, EntryPoint = "sm_fork")]
    private static partial int Fork(NativeForkOptions* options, NativeForkResult* result);

    [LibraryImport(Library, EntryPoint = "sm_fork_setup_engine")]
    private static partial int ForkSetupEngine(ForkSetup* setup, byte* why, int whySize);

    [LibraryImport(Library, EntryPoint = "sm_fork_inspect")]
    private static partial int ForkInspect(NativeForkOptions* options, NativeThreadInfo* threads, int capacity);

    /// <summary>Puts the runtime's code memory on huge pages, in one mapping. Returns their bytes, or a negative error number.</summary>
    [LibraryImport(Library, EntryPoint = "sm_fork_consolidate")]
    internal static partial long ForkConsolidate();

    /// <summary>Parks all threads that wait, as a fork with <see cref="ForkFlags.Hold"/> leaves them. Returns 1 where they are parked now.</summary>
    [LibraryImport(Library, EntryPoint = "sm_fork_hold")]
    internal static partial int ForkHold();

    /// <summary>Lets go the threads that a fork with <see cref="ForkFlags.Hold"/> or <see cref="ForkHold"/> has left parked.</summary>
    [LibraryImport(Library, EntryPoint = "sm_fork_let_go")]
    internal static partial int ForkLetGo();

    /// <summary>Waits until the descriptor is readable: 1. When a signal is to be handled, or one of the threads has timers, sockets, files or handles to look after and nothing comes for that long, they are let go: 0. Where they have not, and nothing comes for the idle time: 2.</summary>
    [LibraryImport(Library, EntryPoint = "sm_fork_hold_until")]
    internal static partial int ForkHoldUntil(int descriptor, int patienceMilliseconds, int idleMilliseconds);

    [LibraryImport(Library, EntryPoint = "sm_fork_is_foreign_child")]
    internal static partial int ForkIsForeignChild();

    [LibraryImport(Library, EntryPoint = "sm_fork_check_code_data")]
    internal static partial int ForkCheckCodeData();

    [LibraryImport(Library, EntryPoint = "sm_fork_gettid")]
    internal static partial int ThreadId();

    /// <summary>A number for the calls that this thread is in: the same for the same calls. 0: not known.</summary>
    [LibraryImport(Library, EntryPoint = "sm_fork_place")]
    internal static partial ulong ForkPlace();

    /// <summary>SM_FORK_LOOK_FIRST: what <see cref="ForkFlags.OnlySafe"/> was not true of.</summary>
    internal const int ForkLookFirst = -117;

    /// <summary>In cooperative mode, so that nothing moves meanwhile: <paramref name="reference"/> is where a local variable holds the object.</summary>
    [LibraryImport(Library, EntryPoint = "sm_fork_learn_thread_static"), SuppressGCTransition]
    internal static partial int ForkLearnThreadStatic(void* reference);

    [LibraryImport(Library, EntryPoint = "sm_fork_clear_thread_static"), SuppressGCTransition]
    internal static partial int ForkClearThreadStatic();

    /// <summary>Learns which thread-static field holds this object on this thread. Returns 0 or −errno.</summary>
    internal static int ForkLearnThreadStatic(object value)
    {
        object held = value;
        return ForkLearnThreadStatic(Unsafe.AsPointer(ref held));
    }

    internal static int ForkSetupEngine(ForkSetup setup, out string why)
    {
        const int size = 256;
        byte* text = stackalloc byte[size];
        text[0] = 0;
        setup.Size = (uint)sizeof(ForkSetup);
        int result = ForkSetupEngine(&setup, text, size);
        why = NativeForkResult.Text(text, size);
        return result;
    }

    /// <summary>Returns twice: 0 in the child.</summary>
    internal static int Fork(ForkFlags flags, ulong deadlineMicroseconds, ulong quietMicroseconds, ReadOnlySpan<int> kept, ReadOnlySpan<ThreadPolicy> policies,
        int* birth, out NativeForkResult result)
    {
        fixed (int* keptNumbers = kept)
        fixed (ThreadPolicy* threadPolicies = policies)
        {
            NativeForkOptions options = new()
            {
                Size = (uint)sizeof(NativeForkOptions), Flags = flags, DeadlineMicroseconds = deadlineMicroseconds, QuietMicroseconds = quietMicroseconds,
                Kept = keptNumbers, KeptCount = (uint)kept.Length, Policies = threadPolicies, PolicyCount = (uint)policies.Length,
                Birth = birth,
            };
            NativeForkResult outcome = new() { Size = (uint)sizeof(NativeForkResult) };
            int pid = Fork(&options, &outcome);
            result = outcome;
            return pid;
        }
    }

    /// <summary>Every thread but the caller: as many as there are, in an array of that length.</summary>
    internal static int ForkInspect(out NativeThreadInfo[] threads)
    {
        NativeForkOptions options = new() { Size = (uint)sizeof(NativeForkOptions) };
        Span<NativeThreadInfo> room = stackalloc NativeThreadInfo[64];
        while (true)
        {
            int count;
            fixed (NativeThreadInfo* first = room)
                count = ForkInspect(&options, first, room.Length);
            if (count <= room.Length)
            {
                threads = room[..Math.Max(count, 0)].ToArray();
                return count;
            }
            room = new NativeThreadInfo[2 * count];
        }
    }
}
