using System.Runtime.InteropServices;
using StartMethods.Interop;
using StartMethods.Threads;

namespace StartMethods.Forking;

/// <summary>The native engine as the managed side sees it: whether this runtime can be forked, and one fork.</summary>
/// <remarks>It asks nobody whether a fork is wise: that is <c>ForkSafety</c>'s business, which is asked before.</remarks>
internal static class ForkEngine
{
    private static readonly Lazy<string?> Unsupported = new(SetUp);

    /// <summary>Why this process cannot be forked, in one sentence; null where it can.</summary>
    internal static string? UnsupportedReason =>
        Unsupported.Value ?? ForkCanary.Reason
        ?? (IsForeignChild ? "this process was made by a fork(2) that StartMethods did not make: no thread of the runtime but this one lives here" : null);

    /// <summary>Whether this process is the child of somebody else's fork(2), in which the runtime has no other thread.</summary>
    internal static bool IsForeignChild => !Native.IsPortable && Native.ForkIsForeignChild() != 0;

    /// <summary>Forks this process. Returns twice.</summary>
    /// <exception cref="StartMethodNotSupportedException">This runtime or system cannot be forked.</exception>
    /// <exception cref="StartMethodException">There is no child; the message names the thread that stood in the way, or the system's error.</exception>
    // Unsafe: hands on where the kernel is to note the child.
    internal static unsafe ForkOutcome Fork(in ForkRequest request)
    {
        if (UnsupportedReason is { } reason)
            throw new StartMethodNotSupportedException($"fork: {reason}");
        Span<int> kept = request.KeptSockets.Count <= FewSockets ? stackalloc int[FewSockets] : new int[request.KeptSockets.Count];
        kept = kept[..request.KeptSockets.Count];
        for (int i = 0; i < kept.Length; i++)
            kept[i] = (int)request.KeptSockets[i].DangerousGetHandle();
        NativeForkResult result = default;
        ForkPause pause = ForkPause.Current;
        if (!request.IsRehearsal)
            pause.BeginFork();
        int pid = -1;
        try
        {
            pid = request.IsRehearsal ? 0 : Native.Fork(request.Flags | ForkCanary.Flags, Microseconds(request.Deadline), Microseconds(request.QuietTime), kept, request.Threads, (int*)request.Birth, out result);
        }
        finally
        {
            if (pid != 0)
                pause.EndFork();
            if (pid == 0)
                ForkPause.ResetAfterFork(request.IsRehearsal);
        }
        if (pid == Native.ForkLookFirst)
            return new ForkOutcome { ProcessId = pid };
        if (pid < 0)
            throw Failure(-pid, result);
        if (pid == 0)
            ChildReset.Run(request.IsRehearsal);
        return new ForkOutcome
        {
            ProcessId = pid,
            Pidfd = pid == 0 ? null : new FileDescriptor(result.Pidfd),
            Measures = ForkMeasures.From(result),
        };
    }

    private const int FewSockets = 16;

    private static ulong Microseconds(TimeSpan time) => (ulong)Math.Max(0, time.Ticks / TimeSpan.TicksPerMicrosecond);

    private static StartMethodException Failure(int errno, in NativeForkResult result)
    {
        string why = result.Why.Length > 0 ? result.Why : "the child could not be made";
        string remedy = result.Culprit != 0 ? "; let it finish or wait before the fork, fork with ForkThreads.All, or use the fork server or spawn" : "";
        return new StartMethodException($"fork: {why}: {NativeError.Describe(errno)}, after {result.Tries} tries{remedy}") { ErrorNumber = errno };
    }

    private static string RuntimeLibrary => Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "libcoreclr.so");

    /// <summary>Why nothing can be forked on this system or in this form of deployment; cheap, and the same in every process of this application.</summary>
    internal static string? SurroundingsReason { get; } =
        Native.UnavailableReason is { } reason ? reason
        : RuntimeInformation.ProcessArchitecture != Architecture.X64 ? $"the fork engine knows x64 only, and this is {RuntimeInformation.ProcessArchitecture}"
        : !File.Exists(RuntimeLibrary) ? "libcoreclr.so is not a file of its own here (a single-file application): the engine cannot read it"
        : null;

    private static string? SetUp()
    {
        if (SurroundingsReason is { } reason)
            return reason;
        nint runtime = NativeLibrary.Load(RuntimeLibrary);
        if (!NativeLibrary.TryGetExport(runtime, "DotNetRuntimeContractDescriptor", out nint descriptor))
            return $"this runtime ({RuntimeInformation.FrameworkDescription}) does not describe itself (no DotNetRuntimeContractDescriptor)";
        ForkSetup setup = new() { ContractDescriptor = descriptor, NeedsThreadMap = Environment.Version >= new Version(10, 0, 4) ? 1u : 0u };
        if (NativeLibrary.TryLoad("libc.so.6", out nint libc))
        {
            if (NativeLibrary.TryGetExport(libc, "__rseq_offset", out nint offset) && NativeLibrary.TryGetExport(libc, "__rseq_size", out nint size))
                (setup.RseqOffset, setup.RseqSize) = (offset, size);
        }
        ChildReset.Prepare();
        int result = Native.ForkSetupEngine(setup, out string why);
        if (result >= 0)
            ChildReset.Learn();
        return result >= 0 ? null : why.Length > 0 ? why : NativeError.Describe(-result);
    }
}
