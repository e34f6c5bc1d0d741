using System.Buffers.Binary;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using StartMethods.Spawning;

namespace StartMethods.ForkChild;

/// <summary>What Random.Shared draws in parent and children.</summary>
internal static class RandomNumbers
{
    /// <summary>Two children and their parent draw different numbers.</summary>
    internal static string? OfForkingThread()
    {
        Random.Shared.Next();
        HashSet<long> seen = [];
        for (int i = 0; i < 3; i++)
        {
            using AnonymousPipeServerStream pipe = new(PipeDirection.In);
            ProcessLifetime child = Scenarios.Fork(() =>
            {
                byte[] bytes = new byte[8];
                BinaryPrimitives.WriteInt64LittleEndian(bytes, Random.Shared.NextInt64());
                using FileStream stream = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(pipe.ClientSafePipeHandle.DangerousGetHandle(), false), FileAccess.Write, 0);
                stream.Write(bytes);
                return 0;
            });
            byte[] drawn = new byte[8];
            pipe.ReadExactly(drawn);
            if (!seen.Add(BinaryPrimitives.ReadInt64LittleEndian(drawn)))
                return "two children drew the same number from Random.Shared";
            if (Scenarios.Expect(child, "exit 0", "random") is { } wrong)
                return wrong;
        }
        return seen.Add(Random.Shared.NextInt64()) ? null : "parent and child drew the same number";
    }

    /// <summary>Nor do their pool workers, which had drawn numbers before the fork.</summary>
    internal static string? OfWorkers()
    {
        const int workers = 4;
        ThreadPool.SetMinThreads(workers, workers);
        DrawOnWorkers(workers);
        List<long> drawn = [];
        for (int i = 0; i < 2; i++)
        {
            using AnonymousPipeServerStream pipe = new(PipeDirection.In);
            ProcessLifetime child = Scenarios.Fork(() =>
            {
                using FileStream stream = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(pipe.ClientSafePipeHandle.DangerousGetHandle(), false), FileAccess.Write, 0);
                stream.Write(MemoryMarshal.AsBytes<long>(DrawOnWorkers(workers)));
                return 0;
            });
            long[] numbers = new long[workers];
            pipe.ReadExactly(MemoryMarshal.AsBytes(numbers.AsSpan()));
            drawn.AddRange(numbers);
            if (Scenarios.Expect(child, "exit 0", "random-workers") is { } wrong)
                return wrong;
        }
        drawn.AddRange(DrawOnWorkers(workers));
        int same = drawn.Count - drawn.Distinct().Count();
        return same == 0 ? null : $"{same} of {drawn.Count} numbers were drawn twice";
    }

    private static long[] DrawOnWorkers(int count)
    {
        using Barrier all = new(count);   // so that each task has a worker of its own
        return Task.WhenAll(Enumerable.Range(0, count).Select(_ => Task.Run(() =>
        {
            all.SignalAndWait();
            return Random.Shared.NextInt64();
        }))).Result;
    }
}
