namespace StartMethods.Benchmarks;

/// <summary>One way of doing the thing that is measured.</summary>
/// <param name="Name">What the table calls it.</param>
/// <param name="Measure">Takes so many samples now, and returns them in the unit of the comparison.</param>
internal sealed record Contender(string Name, Func<int, double[]> Measure)
{
    /// <summary>A contender that is timed here: one sample is one call, in microseconds.</summary>
    internal static Contender Timed(string name, Action action) => new(name, count =>
    {
        var samples = new double[count];
        for (int i = 0; i < count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            samples[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }
        return samples;
    });

    /// <summary>A contender that is timed here, waiting for each call's task.</summary>
    internal static Contender Timed(string name, Func<Task> action) => Timed(name, () => action().GetAwaiter().GetResult());

    /// <summary>A contender whose one sample is <paramref name="amount"/> divided by the seconds that one call takes.</summary>
    internal static Contender Rate(string name, double amount, Action action)
    {
        Contender timed = Timed(name, action);
        return new(name, count => Array.ConvertAll(timed.Measure(count), microseconds => amount / (microseconds / 1e6)));
    }
}

/// <summary>A subject against a named reference, measured in turn (A B A B …) in one run, so that both see the same noise.</summary>
internal sealed class Comparison
{
    /// <summary>What is measured, as a person would say it.</summary>
    internal required string Name { get; init; }

    /// <summary>The unit of every sample: "us", "/s", "GB/s", "MB".</summary>
    internal string Unit { get; init; } = "us";

    /// <summary>What this repository does.</summary>
    internal required Contender Subject { get; init; }

    /// <summary>What the ratio is taken against; null if it cannot run here (<see cref="ReferenceProgram"/> says why).</summary>
    internal required Contender? Reference { get; init; }

    /// <summary>Shown beside the two, with their own ratio to the reference.</summary>
    internal IReadOnlyList<Contender?> Others { get; init; } = [];

    /// <summary>The ratio subject / reference that makes the work done, and the one that we are after.</summary>
    internal double? Floor { get; init; }

    /// <inheritdoc cref="Floor"/>
    internal double? Goal { get; init; }

    /// <summary>Where the work is done at a figure of its own and not at a ratio: that figure, in <see cref="Unit"/>.</summary>
    internal double? AbsoluteFloor { get; init; }

    internal int Rounds { get; init; } = 10;

    internal int SamplesPerRound { get; init; } = 20;

    /// <summary>Samples taken and thrown away before the first round, of each contender.</summary>
    internal int Warmup { get; init; } = 5;

    /// <summary>A rate is better when higher, a time or a size when lower.</summary>
    internal bool HigherIsBetter => Unit.EndsWith("/s", StringComparison.Ordinal);

    /// <summary>Measures every contender in turn, each round beginning with another one.</summary>
    /// <param name="scale">Multiplies the number of rounds: below 1 for a quick look.</param>
    internal ComparisonResult Run(double scale)
    {
        Contender[] contenders = [.. new[] { Subject, Reference }.Concat(Others).OfType<Contender>()];
        var samples = contenders.ToDictionary(c => c, _ => new List<double[]>());
        foreach (Contender contender in contenders)
            contender.Measure(Warmup);
        int rounds = Math.Max(1, (int)Math.Round(Rounds * scale));
        for (int round = 0; round < rounds; round++)
            for (int i = 0; i < contenders.Length; i++)
            {
                Contender contender = contenders[(round + i) % contenders.Length];
                samples[contender].Add(contender.Measure(SamplesPerRound));
            }
        return new ComparisonResult(this, contenders.ToDictionary(c => c, c => new Samples(samples[c])));
    }
}
