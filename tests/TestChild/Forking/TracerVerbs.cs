using System.Diagnostics;
using System.Runtime.InteropServices;
using StartMethods;

namespace TestChild.Forking;

/// <summary>A process that a debugger is attached to, and that debugger.</summary>
internal static partial class TracerVerbs
{
    internal static void AddTo(Dictionary<string, Verb> verbs)
    {
        verbs["fork-traced"] = arguments => ForkVerbs.Now(() => Traced(arguments[0]));
        verbs["tracer"] = arguments => Task.FromResult(Trace(arguments[0], int.Parse(arguments[1])));
    }

    /// <summary>fork-traced NAME: is traced by a process of that name for a moment; says what a fork came to meanwhile, what the report said, and what a fork came to afterwards.</summary>
    private static string Traced(string name)
    {
        _ = Prctl(AllowTracer, unchecked((nuint)(-1)), 0, 0, 0); // where only parents may trace
        ProcessStartInfo info = new(Environment.ProcessPath!, [typeof(TracerVerbs).Assembly.Location, "tracer", name, $"{Environment.ProcessId}"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using Process tracer = Process.Start(info)!;
        string? attached = tracer.StandardOutput.ReadLine();
        if (attached != "attached")
            return $"not permitted: {attached}";
        // The main thread, the only one that is traced, is the one that asks: it is not stopped for the look at the others.
        string meanwhile = ForkVerbs.Refused(null);
        ForkFinding finding = ForkSafety.Inspect().Findings.Single(finding => finding.Kind == ForkFindingKind.Debugger);
        tracer.StandardInput.Close();
        tracer.WaitForExit();
        return $"{meanwhile}\n{finding.IsUnsafe}: {finding.Message}\n{ForkVerbs.Refused(null)}";
    }

    private static int Trace(string name, int process)
    {
        _ = PrctlName(SetName, name, 0, 0, 0);
        if (Ptrace(Seize, process, 0, 0) != 0)
        {
            Console.WriteLine(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
            return 0;
        }
        Console.WriteLine("attached");
        _ = Console.In.Read(); // its end lets go
        return 0;
    }

    private const int AllowTracer = 0x59616d61, SetName = 15;
    private const nint Seize = 0x4206;

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc", EntryPoint = "prctl", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int PrctlName(int option, string a, nuint b, nuint c, nuint d);

    [LibraryImport("libc", EntryPoint = "ptrace", SetLastError = true)]
    private static partial nint Ptrace(nint request, nint process, nint address, nint data);
}
