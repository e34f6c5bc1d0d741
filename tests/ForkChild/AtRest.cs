using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StartMethods.Forking;
using StartMethods.Interop;
using StartMethods.Spawning;

namespace StartMethods.ForkChild;

/// <summary>Forks of a process in which everybody waits where the last fork has found nobody to own a lock: they go without the search for owners. And those that must not.</summary>
internal static class AtRest
{
    internal static readonly Dictionary<string, Func<int, string?>> All = new()
    {
        ["at-rest"] = _ => GoesWithout(),
        ["at-rest-constructor"] = InConstructor,
        ["at-rest-late"] = _ => RuntimeIsLate(),
        ["at-rest-foreign"] = BesideForeignLibrary,
        ["at-rest-searched"] = _ => IsSearchedEachTime(),
    };

    // Until the compiler has come to rest too, and the runtime's threads have been seen where they wait.
    private const int Enough = 200;

    private static string? GoesWithout()
    {
        for (int i = 0; i < Enough; i++)
        {
            if (Fork(static () => true, out bool wasSearched) is { } wrong)
                return wrong;
            if (!wasSearched)
                return null;
        }
        return $"none of {Enough} forks at rest went without a search";
    }

    // The same calls each time, up to a lock that is another class's each time: the runtime holds it while a static constructor runs.
    private static string? InConstructor(int variant)
    {
        Type argument = Marker(variant);
        for (int depth = 0; depth < 4; depth++)
        {
            argument = typeof(Nested<>).MakeGenericType(argument);
            Type type = typeof(Constructed<>).MakeGenericType(argument);
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
            if (ForkingConstructor.Run() is { } wrong)
                return wrong;
            if (!ForkingConstructor.WasSearched)
                return "the locks that a thread in a static constructor owns were not searched for";
        }
        return null;
    }

    private static Type Marker(int variant)
    {
        Type type = typeof(int);
        for (int i = 0; i < variant; i++)
            type = typeof(Nested<>).MakeGenericType(type);   // a class that nobody has constructed yet
        return type.MakeArrayType();
    }

    private sealed class Nested<T>
    {
        internal T? Value { get; set; }
    }

    /// <summary>Forked from within its static constructor, from which both processes return.</summary>
    private static class Constructed<T>
    {
        internal static int Value;

        static Constructed()
        {
            ForkingConstructor.Fork(static () => Volatile.Read(ref Value));
            Value = 42;
        }
    }

    private static class ForkingConstructor
    {
        private static ForkOutcome s_outcome;
        private static Thread? s_other;
        private static int s_seen;

        internal static bool WasSearched => s_outcome.Measures.WasSearched;

        [MethodImpl(MethodImplOptions.NoInlining)]
        internal static void Fork(Func<int> readValue)
        {
            s_outcome = ForkEngine.Fork(ForkLoop.Request);
            if (!s_outcome.IsChild)
                return;
            s_other = new Thread(() => s_seen = readValue()) { IsBackground = true };
            s_other.Start();   // waits for the constructor of this thread
        }

        internal static string? Run()
        {
            if (s_outcome.IsChild)
                Native.ExitNow(s_other!.Join(TimeSpan.FromSeconds(10)) && s_seen == 42 ? 0 : 1);
            return Scenarios.Expect(ProcessLifetime.OfChild(s_outcome.ProcessId, s_outcome.Pidfd), "exit 0", "a fork within a static constructor");
        }
    }

    /// <summary>The runtime's own threads come back within moments, and what a child asks of them is done.</summary>
    private static string? RuntimeIsLate()
    {
        if (GoesWithout() is { } wrong)
            return wrong;
        return Fork(static () =>
        {
            using SemaphoreSlim finalized = new(0);
            Drop(finalized);
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return finalized.Wait(10_000) && Task.Run(static () => 1).Wait(10_000);
        }, out _);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop(SemaphoreSlim finalized) => _ = new Finalized(finalized);

    private sealed class Finalized(SemaphoreSlim tell)
    {
        ~Finalized() => tell.Release();
    }

    /// <summary>A library that is neither the runtime's nor the system's may leave a lock held whenever it likes.</summary>
    private static string? BesideForeignLibrary(int variant)
    {
        string name = variant % 2 == 0 ? "liblzma.so.5" : LikeOneOfTheRuntime();
        NativeLibrary.Load(name);
        if (name[0] == '/')
            File.Delete(name);
        return IsSearchedEachTime();
    }

    private static string? IsSearchedEachTime()
    {
        for (int i = 0; i < 20; i++)
        {
            if (Fork(static () => true, out bool wasSearched) is { } wrong)
                return wrong;
            if (!wasSearched)
                return "a fork for which somebody may own a lock went without a search";
        }
        return null;
    }

    // As an application's own library lies beside the runtime's where it brings that along.
    private static string LikeOneOfTheRuntime()
    {
        string path = Path.Combine(Path.GetTempPath(), $"libSystem.Fast{Environment.ProcessId}.so");
        File.Copy(Directory.GetFiles("/lib/x86_64-linux-gnu", "liblzma.so.5")[0], path, overwrite: true);
        return path;
    }

    private static string? Fork(Func<bool> body, out bool wasSearched)
    {
        ProcessLifetime child = Scenarios.Fork(() => body() ? 0 : 1, out ForkMeasures measures);
        wasSearched = measures.WasSearched;
        return Scenarios.Expect(child, "exit 0", "a fork at rest");
    }
}
