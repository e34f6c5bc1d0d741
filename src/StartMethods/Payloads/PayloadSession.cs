using System.Reflection;

namespace StartMethods.Payloads;

/// <summary>
/// What both ends of one connection remember between payloads, so that a function or a type is described once and then named by number.
/// One session on the writing end, one on the reading end. Payloads must be decoded in the order in which they were encoded, each exactly
/// once; a payload that could not be encoded leaves no trace. Not thread safe: one user at a time.
/// </summary>
internal sealed class PayloadSession
{
    internal Dictionary<Type, int> WrittenTypes { get; } = [];
    internal Dictionary<Assembly, int> WrittenAssemblies { get; } = [];
    internal Dictionary<Function, int> WrittenFunctions { get; } = new(ReferenceEqualityComparer.Instance);
    internal List<Type> ReadTypes { get; } = [];
    internal List<Assembly> ReadAssemblies { get; } = [];
    internal List<Function> ReadFunctions { get; } = [];

    internal (int Types, int Assemblies, int Functions) Mark() => (WrittenTypes.Count, WrittenAssemblies.Count, WrittenFunctions.Count);

    /// <summary>Forgets what a failed payload would have told the other end.</summary>
    internal void Rollback((int Types, int Assemblies, int Functions) mark)
    {
        Trim(WrittenTypes, WellKnownTypes.FirstDynamic + mark.Types);
        Trim(WrittenAssemblies, mark.Assemblies);
        Trim(WrittenFunctions, mark.Functions);
    }

    private static void Trim<T>(Dictionary<T, int> numbers, int limit) where T : notnull
    {
        foreach (KeyValuePair<T, int> entry in numbers)
        {
            if (entry.Value >= limit)
                numbers.Remove(entry.Key);
        }
    }
}
