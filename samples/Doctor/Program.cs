// What this machine and this process allow: start methods with the reasons of those that do not work, who is alive and what speaks against a fork, and a fork that is only tried.
// Doctor [--busy]: with a thread that makes a fork unsafe.
using System.Diagnostics;
using System.Runtime.InteropServices;
using StartMethods;

using var end = new ManualResetEventSlim();
if (args.Contains("--busy"))
    new Thread(end.Wait) { Name = "busy", IsBackground = true }.Start();

Row("system", $"{RuntimeInformation.OSDescription.Trim()}, {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors");
Row("runtime", RuntimeInformation.FrameworkDescription);
foreach (string name in (string[])["spawn", "forkserver", "fork"])
    Row(name, StartMethod.Get(name).UnsupportedReason ?? "works");
Row("default", StartMethod.Default.Name);

ForkSafetyReport report = ForkSafety.Inspect();
Console.WriteLine($"\n{report}");

Row("dry run", DryRun());
return 0;

static string DryRun()
{
    if (StartMethod.Fork.UnsupportedReason is not null)
        return "no fork here";
    try
    {
        long start = Stopwatch.GetTimestamp();
        int child = Posix.Fork();
        if (child == 0)
        {
            GC.Collect(); // a child that is not whole would not come back from this
            Posix.Exit(Task.Run(() => 42).Result);
        }
        ExitStatus status = Posix.Wait(child);
        return $"the canary, a child sent ahead to see whether it would be whole, was; a forked child collected garbage, ran a task and ended ({status}, expected exit 42) after {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0.0} ms";
    }
    catch (StartMethodNotSupportedException e)
    {
        return $"refused: {e.Message}"; // the canary's verdict
    }
    catch (UnsafeForkException e)
    {
        return $"refused: {e.Report.Findings.Count(finding => finding.IsUnsafe)} reasons, see above";
    }
}

static void Row(string name, string value) => Console.WriteLine($"{name,-12}{value}");
