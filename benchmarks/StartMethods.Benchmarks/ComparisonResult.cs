using System.Globalization;

namespace StartMethods.Benchmarks;

/// <summary>The samples of one contender, a list per round.</summary>
internal sealed class Samples
{
    private readonly double[] _sorted;
    private readonly double[] _roundMedians;

    internal Samples(IReadOnlyList<double[]> rounds)
    {
        _sorted = [.. rounds.SelectMany(r => r).Order()];
        _roundMedians = [.. rounds.Where(r => r.Length > 0).Select(r => Quantile([.. r.Order()], 0.5))];
    }

    internal int Count => _sorted.Length;

    internal double Median => Quantile(_sorted, 0.5);

    internal double P99 => Quantile(_sorted, 0.99);

    /// <summary>The lowest and the highest median of a round: how far the noise of this machine carried.</summary>
    internal (double Low, double High) Range => (_roundMedians.Min(), _roundMedians.Max());

    private static double Quantile(double[] sorted, double q) => sorted[Math.Clamp((int)Math.Ceiling(q * sorted.Length) - 1, 0, sorted.Length - 1)];
}

/// <summary>A finished comparison.</summary>
internal sealed record ComparisonResult(Comparison Comparison, IReadOnlyDictionary<Contender, Samples> Samples)
{
    /// <summary>Median of the contender over median of the reference; null without a reference.</summary>
    internal double? RatioOf(Contender contender) =>
        Comparison.Reference is { } reference ? Samples[contender].Median / Samples[reference].Median : null;

    /// <summary>"goal", "floor", "BELOW THE FLOOR", or "-" where nothing was asked for.</summary>
    internal string Verdict
    {
        get
        {
            if (Comparison.AbsoluteFloor is { } least)
                return Reaches(Samples[Comparison.Subject].Median, least) ? "floor" : "BELOW THE FLOOR";
            if (RatioOf(Comparison.Subject) is not { } ratio || Comparison.Floor is not { } floor)
                return "-";
            return Comparison.Goal is { } goal && Reaches(ratio, goal) ? "goal" : Reaches(ratio, floor) ? "floor" : "BELOW THE FLOOR";
        }
    }

    /// <summary>What was asked for, as the table shows it.</summary>
    internal string Asked => Comparison.AbsoluteFloor is { } least ? string.Create(CultureInfo.InvariantCulture, $"{least} {Comparison.Unit}")
        : Comparison.Floor is { } floor ? string.Create(CultureInfo.InvariantCulture, $"{floor} x / {Comparison.Goal} x") : "";

    private bool Reaches(double value, double asked) => Comparison.HigherIsBetter ? value >= asked : value <= asked;
}
