using System.IO.Pipes;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StartMethods.Forking;
using StartMethods.Interop;

namespace StartMethods.ForkChild;

/// <summary>The child that is sent ahead of a process's first fork: again and again, where a process sends one.</summary>
internal static class Canaries
{
    private static readonly ForkRequest Request = ForkCanary.RequestFor(ForkLoop.Request);

    internal static readonly Dictionary<string, Func<int, string?>> All = new()
    {
        ["canary"] = _ => Whole(),
        ["canary-verdicts"] = Verdicts,
        ["canary-discreet"] = _ => Discreet(),
    };

    private static string? Whole()
    {
        string wrong = ForkCanary.Judge(ForkLoop.Request);
        return wrong.Length == 0 ? null : wrong;
    }

    /// <summary>One that fails, throws, crashes or hangs is told apart, ended and reaped.</summary>
    private static string? Verdicts(int variant)
    {
        (CanaryStep step, string expected) = (variant % 4) switch
        {
            0 => (new CanaryStep("wrong", () => false), "ended with Code 1"),
            1 => (new CanaryStep("thrown", () => throw new InvalidOperationException()), "ended with Code 1"),
            2 => (new CanaryStep("crashed", () => { Environment.FailFast("expected by the test"); return true; }), "ended with Signal 6"),
            _ => (new CanaryStep("stuck", () => { Thread.Sleep(Timeout.Infinite); return true; }), "hung"),
        };
        string wrong = ForkCanary.Run(Request, [new("fine", () => true), step, new("never", () => true)], TimeSpan.FromMilliseconds(variant % 4 == 3 ? 300 : 10_000));
        int status = 0;
        if (WaitPid(-1, ref status, NoHang | AllChildren) >= 0)
            return "a canary was left behind";
        return wrong.EndsWith($"failed its self-check at '{step.Name}': it {expected}", StringComparison.Ordinal) ? null : $"'{wrong}' instead of '{expected}'";
    }

    /// <summary>Timers, work items and finalizers of the application do not run in it.</summary>
    private static string? Discreet()
    {
        using AnonymousPipeServerStream pipe = new(PipeDirection.In);
        int process = Environment.ProcessId, number = (int)pipe.ClientSafePipeHandle.DangerousGetHandle();
        void Tell()
        {
            if (Getpid() != process)
                _ = Write(number, "x"u8.ToArray(), 1);
        }
        Drop(Tell);
        using (Timer timer = new(_ => Tell(), null, 200, Timeout.Infinite)) // its thread is blocked until then; workers may be looking for work for a while
        {
            using CanarySteps steps = new();
            CanaryStep linger = new("linger", () => { Thread.Sleep(400); return true; });
            string wrong = ForkCanary.Run(Request, [.. steps.All(), linger], ForkCanary.Patience);
            if (wrong.Length > 0)
                return wrong;
        }
        pipe.DisposeLocalCopyOfClientHandle();
        int callbacks = 0;
        for (; pipe.ReadByte() >= 0; callbacks++) { }
        return callbacks == 0 ? null : $"{callbacks} callbacks of the parent's ran in the canary";
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop(Action tell)
    {
        for (int i = 0; i < 10; i++)
            _ = new Finalized(tell);
    }

    private sealed class Finalized(Action tell)
    {
        ~Finalized() => tell();
    }

    private const int NoHang = 1, AllChildren = 0x40000000;

    [DllImport("libc", EntryPoint = "waitpid")]
    private static extern int WaitPid(int process, ref int status, int options);

    [DllImport("libc", EntryPoint = "getpid")]
    private static extern int Getpid();

    [DllImport("libc", EntryPoint = "write")]
    private static extern nint Write(int descriptor, byte[] bytes, nint count);
}
