using FsCheck;
using FsCheck.Fluent;
using StartMethods.Payloads;

namespace StartMethods.Tests;

/// <summary>What holds for every value: it arrives as it was, as an argument and as a result.</summary>
[Parallelizable(ParallelScope.All)]
public class PropertyTests
{
    private static void Check<T>(Func<T, bool> property) => FsCheck.Fluent.Prop.ForAll(ArbMap.Default.ArbFor<T>(), property).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static bool Same<T>(T value) => NUnitEqual(Carry.Argument(value), value) && NUnitEqual(Carry.Result(value), value);

    private static bool NUnitEqual<T>(T actual, T expected) => Is.EqualTo(expected).ApplyTo(actual).IsSuccess;

    [Test]
    public void Numbers() => Check<(int, long, double)>(Same);

    [Test]
    public void More_numbers() => Check<(ulong, sbyte, decimal)>(Same);

    [Test]
    public void Floats() => Check<float[]>(Same);

    [Test]
    public void Texts() => Check<string?[]>(Same);

    [Test]
    public void Texts_of_any_chars() => Check<char[]>(static chars => Same(new string(chars)) && Same(chars));

    [Test]
    public void Moments() => Check<(DateTime, TimeSpan, Guid)>(Same);

    [Test]
    public void Maps() => Check<Dictionary<string, int[]>>(Same);

    [Test]
    public void Nested_lists() => Check<List<List<(bool, string)>>>(Same);

    [Test]
    public void Values_that_may_be_missing() => Check<(int?, DateTimeOffset?)[]>(Same);

    [Test]
    public void Graphs_of_any_shape() => Check<(int, int)[]>(static edges =>
    {
        // Any directed graph, with cycles: its nodes are numbered, its shape is compared by walking both in the same order.
        var nodes = Enumerable.Range(0, 10).Select(i => new Node { Number = i }).ToArray();
        foreach ((int from, int to) in edges)
            nodes[Math.Abs(from % 10)].Targets.Add(nodes[Math.Abs(to % 10)]);
        return Walk(Carry.Argument(nodes[0])) == Walk(nodes[0]) && Walk(Carry.Result(nodes)[3]) == Walk(nodes[3]);
    });

    private sealed class Node
    {
        internal int Number;
        internal readonly List<Node> Targets = [];
    }

    private static string Walk(Node start)
    {
        var seen = new Dictionary<Node, int>();
        var text = new System.Text.StringBuilder();
        var pending = new Stack<Node>([start]);
        while (pending.TryPop(out Node? node))
        {
            text.Append(node.Number);
            if (!seen.TryAdd(node, seen.Count))
            {
                text.Append('=').Append(seen[node]);
                continue;
            }
            foreach (Node target in node.Targets)
                pending.Push(target);
        }
        return text.ToString();
    }

    [Test]
    public void Integers_take_their_shortest_form() => Check<long>(static value =>
    {
        var writer = new MessagePackWriter();
        writer.WriteInt64(value);
        int expected = value switch
        {
            >= -32 and < 128 => 1,
            >= sbyte.MinValue and <= byte.MaxValue => 2,
            >= short.MinValue and <= ushort.MaxValue => 3,
            >= int.MinValue and <= uint.MaxValue => 5,
            _ => 9,
        };
        return writer.Position == expected && new MessagePackReader(writer.Written.ToArray()).ReadInt64() == value;
    });
}
