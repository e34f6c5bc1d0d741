using System.Reflection;

namespace StartMethods.Benchmarks;

/// <summary>What one <c>./build.sh bench NAME</c> runs. A new group is a new file with a class derived from this one; nothing else lists them.</summary>
internal abstract class BenchmarkGroup
{
    /// <summary>The name on the command line and of the table's file.</summary>
    internal abstract string Name { get; }

    /// <summary>
    /// The comparisons, one after the other. Each is run before the next is asked for, so an iterator may set things up before a
    /// <c>yield return</c> and take them down behind it (<c>using</c> works as in any method).
    /// </summary>
    internal abstract IEnumerable<Comparison> Comparisons();

    /// <summary>All groups, by name.</summary>
    internal static IReadOnlyDictionary<string, BenchmarkGroup> All { get; } = Assembly.GetExecutingAssembly().GetTypes()
        .Where(type => type.IsSubclassOf(typeof(BenchmarkGroup)))
        .Select(type => (BenchmarkGroup)Activator.CreateInstance(type, nonPublic: true)!)
        .OrderBy(group => group.Name).ToDictionary(group => group.Name);
}
