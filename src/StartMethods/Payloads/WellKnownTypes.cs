namespace StartMethods.Payloads;

/// <summary>Types with a fixed number, so that the common ones need no definition. Only ever append: the numbers are the format.</summary>
internal static class WellKnownTypes
{
    /// <summary>Numbers from here on are given out per payload or session.</summary>
    internal const int FirstDynamic = 96;

    private const int Count = 58;

    // Only where types are named; a fresh child only reads.
    private static class Written
    {
        internal static readonly Dictionary<Type, int> Numbers = Index();
    }

    private static Dictionary<Type, int> Index()
    {
        var numbers = new Dictionary<Type, int>(Count);
        for (int i = 0; i < Count; i++)
            numbers.Add(TryGetType(i)!, i);
        return numbers;
    }

    internal static bool TryGetNumber(Type type, out int number) => Written.Numbers.TryGetValue(type, out number);

    // A switch, so that a child only loads the types that it meets.
    internal static Type? TryGetType(int number) => number switch
    {
        0 => typeof(object), 1 => typeof(string), 2 => typeof(bool), 3 => typeof(char), 4 => typeof(sbyte), 5 => typeof(byte), 6 => typeof(short),
        7 => typeof(ushort), 8 => typeof(int), 9 => typeof(uint), 10 => typeof(long), 11 => typeof(ulong), 12 => typeof(float), 13 => typeof(double),
        14 => typeof(decimal), 15 => typeof(DateTime), 16 => typeof(TimeSpan), 17 => typeof(DateTimeOffset), 18 => typeof(Guid), 19 => typeof(void),
        20 => typeof(Nullable<>), 21 => typeof(List<>), 22 => typeof(Dictionary<,>), 23 => typeof(HashSet<>), 24 => typeof(KeyValuePair<,>),
        25 => typeof(IEnumerable<>), 26 => typeof(ICollection<>), 27 => typeof(IList<>), 28 => typeof(IReadOnlyList<>),
        29 => typeof(IReadOnlyCollection<>), 30 => typeof(IDictionary<,>), 31 => typeof(ValueTuple<>), 32 => typeof(ValueTuple<,>),
        33 => typeof(ValueTuple<,,>), 34 => typeof(ValueTuple<,,,>), 35 => typeof(Task), 36 => typeof(Task<>), 37 => typeof(ValueTask),
        38 => typeof(ValueTask<>), 39 => typeof(CancellationToken), 40 => typeof(Action), 41 => typeof(Action<>), 42 => typeof(Action<,>),
        43 => typeof(Func<>), 44 => typeof(Func<,>), 45 => typeof(Func<,,>), 46 => typeof(Func<,,,>), 47 => typeof(Memory<>),
        48 => typeof(ReadOnlyMemory<>), 49 => typeof(byte[]), 50 => typeof(int[]), 51 => typeof(long[]), 52 => typeof(double[]),
        53 => typeof(float[]), 54 => typeof(string[]), 55 => typeof(object[]), 56 => typeof(char[]), 57 => typeof(bool[]),
        _ => null,
    };
}
