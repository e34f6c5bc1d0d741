namespace StartMethods.Benchmarks;

/// <summary>The pool of workers against CPython's pools and against what the channel can do in C.</summary>
internal sealed partial class PoolBenchmarks : BenchmarkGroup
{
    private const int Tasks = 20_000;
    private const int MappedItems = 200_000;

    internal override string Name => "pool";

    internal override IEnumerable<Comparison> Comparisons() => RoundTrips().Concat(Rates()).Concat(Payloads()).Concat(Disturbed());

    private static WorkerPool NewPool(int workers = 2, bool spins = true, StartMethod? method = null)
    {
        var options = new WorkerPoolOptions { Workers = workers, MinWorkers = workers, Method = method };
        if (!spins)
            options.MaxSpin = TimeSpan.Zero;
        var pool = new WorkerPool(options);
        // Tier-1 code on both sides, as in a process that serves.
        for (int i = 0; i < 3000; i++)
            pool.RunAsync(static x => x, i).GetAwaiter().GetResult();
        Map(pool, 20_000, 1);
        return pool;
    }

    private static void Map(WorkerPool pool, int items, int chunk, int? lookAhead = null)
    {
        MapOptions options = lookAhead is { } asked ? new MapOptions { ChunkSize = chunk, LookAhead = asked } : new MapOptions { ChunkSize = chunk };
        MapAsync().GetAwaiter().GetResult();

        async Task MapAsync()
        {
            int expected = 0;
            await foreach (int x in pool.MapAsync(Enumerable.Range(0, items), static x => x, options).ConfigureAwait(false))
            {
                if (x != expected++)
                    throw new InvalidOperationException($"{x} came where {expected - 1} was due");
            }
            if (expected != items)
                throw new InvalidOperationException($"{expected} of {items} came");
        }
    }

    private static void RunMany(WorkerPool pool, int count)
    {
        var tasks = new Task<int>[count];
        for (int i = 0; i < count; i++)
            tasks[i] = pool.RunAsync(static x => x, i);
        Task.WaitAll(tasks);
    }

    private static async Task RoundTripsAsync(WorkerPool pool, double[] samples)
    {
        for (int i = 0; i < samples.Length; i++)
        {
            long start = Stopwatch.GetTimestamp();
            await pool.RunAsync(static x => x, i).ConfigureAwait(false);
            samples[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }
    }

    // Awaited by asynchronous code, as callers do: no thread is blocked and woken for the measurement's sake.
    private static Contender RoundTrip(string name, WorkerPool pool) => new(name, count =>
    {
        var samples = new double[count];
        RoundTripsAsync(pool, samples).GetAwaiter().GetResult();
        return samples;
    });

    private static IEnumerable<Comparison> RoundTrips()
    {
        using var apply = ReferenceProgram.Python("pools", "apply");
        using var submit = ReferenceProgram.Python("pools", "submit");
        WorkerPool pool = NewPool(1);
        yield return new Comparison
        {
            Name = "round trip of an empty task",
            Subject = RoundTrip("WorkerPool.RunAsync", pool),
            Reference = apply?.As("CPython Pool.apply"),
            Others = [submit?.As("CPython Executor.submit"), Contender.Timed("RunAsync, caller blocks", () => pool.RunAsync(static x => x, 1))],
            Floor = 0.5,
            Goal = 0.1,
            SamplesPerRound = 300,
            Rounds = 12,
        };
        pool.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private static IEnumerable<Comparison> Rates()
    {
        WorkerPool pool = NewPool();
        using var imap = ReferenceProgram.Python("pools", "imap:20000");
        using var limit = ReferenceProgram.C("ipc", "tasks");
        yield return new Comparison
        {
            Name = "tasks per second, one by one",
            Unit = "/s",
            Subject = Contender.Rate("MapAsync, chunks of 1", Tasks, () => Map(pool, Tasks, 1)),
            Reference = imap?.As("CPython Pool.imap"),
            Others = [Contender.Rate("RunAsync, all at once", Tasks, () => RunMany(pool, Tasks)), limit?.As("C echo, 32 a write")],
            Floor = 3,
            Goal = 10,
            SamplesPerRound = 2,
            Warmup = 2,
        };
        using var map = ReferenceProgram.Python("pools", "map:100000");
        yield return new Comparison
        {
            Name = "tasks per second, mapped in chunks",
            Unit = "/s",
            Subject = Contender.Rate("MapAsync, look-ahead 20000", MappedItems, () => Map(pool, MappedItems, 0, 20_000)),
            Reference = map?.As("CPython Pool.map"),
            Others = [Contender.Rate("MapAsync, defaults", MappedItems, () => Map(pool, MappedItems, 0))],
            Floor = 0.5,
            Goal = 2,
            SamplesPerRound = 1,
            Warmup = 2,
        };
        pool.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private static IEnumerable<Comparison> Payloads()
    {
        WorkerPool pool = NewPool(1);
        foreach (int megabytes in (int[])[1, 64])
        {
            double gigabytes = (megabytes << 20) / 1e9;
            byte[] data = new byte[megabytes << 20];
            Random.Shared.NextBytes(data);
            using var arena = ReferenceProgram.C("ipc", "arena", $"{megabytes}");
            using var python = ReferenceProgram.Python("pools", $"pool-argument:{megabytes}");
            yield return new Comparison
            {
                Name = $"{megabytes} MiB argument",
                Unit = "GB/s",
                Subject = Contender.Rate("ReadOnlyMemory<byte>, read in place", gigabytes, () => pool.RunAsync(static bytes => Touch(bytes.Span), (ReadOnlyMemory<byte>)data).GetAwaiter().GetResult()),
                Reference = arena?.As("C shared arena, read in place"),
                Others =
                [
                    Contender.Rate("byte[]", gigabytes, () => pool.RunAsync(static bytes => Touch(bytes), data).GetAwaiter().GetResult()),
                    Contender.Rate("byte[] there and back", 2 * gigabytes, () => pool.RunAsync(static bytes => bytes, data).GetAwaiter().GetResult()),
                    python?.As("CPython Pool.apply"),
                ],
                Floor = 0.5,
                Goal = 0.8,
                SamplesPerRound = megabytes == 1 ? 20 : 3,
                Warmup = megabytes == 1 ? 60 : 3, // until the memory of small ones is used again, as in a process that serves
            };
        }
        pool.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    // Every cache line, as the reference does.
    private static long Touch(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<long> words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, long>(bytes);
        long sum = 0;
        for (int i = 0; i < words.Length; i += 8)
            sum += words[i];
        return sum;
    }
}
