using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace StartMethods.Threads;

/// <summary>How many workers of the thread pool are in the middle of a work item: by the pool's own count, which it tells nobody.</summary>
internal static class PoolActivity
{
    private static readonly FieldInfo? Instance, Separated, Counts, Data;

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Absent members make the answer null, which is the careful answer.")]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Absent members make the answer null, which is the careful answer.")]
    static PoolActivity()
    {
        const BindingFlags own = BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static;
        Type? pool = Type.GetType("System.Threading.PortableThreadPool, System.Private.CoreLib");
        Instance = pool?.GetField("ThreadPoolInstance", own);
        Separated = pool?.GetField("_separated", own);
        Counts = Separated?.FieldType.GetField("counts", own);
        Data = Counts?.FieldType.GetField("_data", own);
    }

    /// <summary>Workers with work, without the caller if it is one; null where the pool's counts cannot be read.</summary>
    internal static int? BusyWorkers()
    {
        if (ThreadPool.ThreadCount == 0)
            return 0;
        if (Instance?.GetValue(null) is not { } pool || Counts?.GetValue(Separated!.GetValue(pool)!) is not { } counts || Data?.GetValue(counts) is not ulong data)
            return null;
        int processing = (short)data; // ThreadCounts.NumProcessingWork: the lowest 16 bits
        return Math.Max(0, Thread.CurrentThread.IsThreadPoolThread ? processing - 1 : processing);
    }
}
