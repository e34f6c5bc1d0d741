using System.Text;

namespace StartMethods;

/// <summary>Who is alive in this process, what each thread is doing, and what of it speaks against a fork: <see cref="ForkSafety.Inspect()"/>.</summary>
public sealed class ForkSafetyReport
{
    internal ForkSafetyReport(IReadOnlyList<ForkSafetyThread> threads, IReadOnlyList<ForkFinding> findings) => (Threads, Findings) = (threads, findings);

    /// <summary>Every thread but the one that asked.</summary>
    public IReadOnlyList<ForkSafetyThread> Threads { get; }

    /// <summary>What speaks against a fork, and what is worth knowing before one.</summary>
    public IReadOnlyList<ForkFinding> Findings { get; }

    /// <summary>Whether nothing speaks against a fork now. A moment later it may be otherwise: a fork looks again.</summary>
    public bool IsSafe => Findings.All(finding => !finding.IsUnsafe);

    /// <summary>A table of the threads and a list of the findings with their remedies.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        text.AppendLine(IsSafe ? "A fork is safe now." : "A fork is not safe now.");
        text.AppendLine();
        int kind = Math.Max(4, Threads.Select(thread => KindOf(thread).Length).DefaultIfEmpty().Max());
        int name = Math.Max(4, Threads.Select(thread => thread.Name.Length).DefaultIfEmpty().Max());
        text.AppendLine($"  {"id",8}  {"kind".PadRight(kind)}  {"name".PadRight(name)}  doing");
        foreach (ForkSafetyThread thread in Threads)
            text.AppendLine($"{(thread.IsUnsafe ? '!' : ' ')} {thread.Id,8}  {KindOf(thread).PadRight(kind)}  {thread.Name.PadRight(name)}  {thread.Activity}");
        foreach (ForkFinding finding in Findings)
        {
            text.AppendLine();
            text.Append(finding.IsUnsafe ? "! " : "  ").AppendLine(finding.Message);
            if (finding.Remedy is { } remedy)
                text.Append("    ").AppendLine(remedy);
        }
        return text.ToString();
    }

    /// <summary>The message of the exception: every culprit, then what to do.</summary>
    internal string Explain()
    {
        ForkFinding[] culprits = [.. Findings.Where(finding => finding.IsUnsafe)];
        string[] remedies = [.. culprits.Select(finding => finding.Remedy).OfType<string>().Distinct()];
        StringBuilder text = new("A fork is not safe now: ");
        text.AppendJoin("; ", culprits.Select(finding => finding.Message)).Append('.');
        foreach (string remedy in remedies)
            text.Append(' ').Append(remedy);
        return text.ToString();
    }

    private static string KindOf(ForkSafetyThread thread) => ForkSafetyThread.NameOf(thread.Kind);
}
