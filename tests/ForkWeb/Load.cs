using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace StartMethods.ForkWeb;

/// <summary>The clients of a server, in a process of their own: wrk where it is installed, else this program's generator.</summary>
internal sealed partial class Load : IDisposable
{
    private const int Interrupt = 2;
    private readonly Process _process;
    private readonly bool _isWrk;

    private Load(Process process, bool isWrk) => (_process, _isWrk) = (process, isWrk);

    internal static Load Start(int port, int connections)
    {
        string? wrk = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, "wrk")).FirstOrDefault(File.Exists);
        ProcessStartInfo info = wrk is null
            ? new(Environment.ProcessPath!, [.. OwnProgram(), "load", $"{port}", $"{connections}"])
            : new(wrk, ["-t", "1", "-c", $"{connections}", "-d", "1h", "--timeout", "10s", $"http://127.0.0.1:{port}/"]);
        info.RedirectStandardInput = info.RedirectStandardOutput = true;
        return new Load(Process.Start(info)!, wrk is not null);
    }

    private static string[] OwnProgram() => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [typeof(Load).Assembly.Location] : [];

    /// <summary>Ends the load and returns what the clients saw.</summary>
    internal string End(out int errors)
    {
        if (_isWrk)
            _ = Kill(_process.Id, Interrupt);
        else
            _process.StandardInput.WriteLine("q");
        string text = _process.StandardOutput.ReadToEnd();
        _process.WaitForExit();
        Match answers = Regex.Match(text, @"(\d+) (requests in|answers)");
        errors = !answers.Success ? 1 : Errors().Matches(text).Sum(match => int.Parse(match.Groups[1].Value + match.Groups[2].Value, CultureInfo.InvariantCulture));
        return $"{(answers.Success ? answers.Groups[1].Value : text)} answers to {(_isWrk ? "wrk" : "the load generator")}, {errors} errors{(errors == 0 ? "" : $"; {text}")}";
    }

    // "Socket errors: connect 0, read 1, write 0, timeout 0" and "Non-2xx or 3xx responses: 1" of wrk; "1 errors" of ours.
    [GeneratedRegex(@"(?:connect|read|write|timeout|responses:) (\d+)|(\d+) errors")]
    private static partial Regex Errors();

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int Kill(int process, int signal);

    public void Dispose() => _process.Dispose();
}
