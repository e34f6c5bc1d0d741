namespace StartMethods.Payloads;

/// <summary>Types with a fixed number, so that the common ones need no definition. Only ever append: the numbers are the format.</summary>
internal static class WellKnownTypes
{
    /// <summary>Numbers from here on are given out per payload or session.</summary>
    internal const int FirstDynamic = 96;

    private static readonly Type[] ByNumber =
    [
        typeof(object), typeof(string), typeof(bool), typeof(char), typeof(sbyte), typeof(byte), typeof(short), typeof(ushort), typeof(int), typeof(uint),
        typeof(long), typeof(ulong), typeof(float), typeof(double), typeof(decimal), typeof(DateTime), typeof(TimeSpan), typeof(DateTimeOffset), typeof(Guid),
        typeof(void), typeof(Nullable<>), typeof(List<>), typeof(Dictionary<,>), typeof(HashSet<>), typeof(KeyValuePair<,>),
        typeof(IEnumerable<>), typeof(ICollection<>), typeof(IList<>), typeof(IReadOnlyList<>), typeof(IReadOnlyCollection<>), typeof(IDictionary<,>),
        typeof(ValueTuple<>), typeof(ValueTuple<,>), typeof(ValueTuple<,,>), typeof(ValueTuple<,,,>),
        typeof(Task), typeof(Task<>), typeof(ValueTask), typeof(ValueTask<>), typeof(CancellationToken),
        typeof(Action), typeof(Action<>), typeof(Action<,>), typeof(Func<>), typeof(Func<,>), typeof(Func<,,>), typeof(Func<,,,>), typeof(Memory<>), typeof(ReadOnlyMemory<>),
        typeof(byte[]), typeof(int[]), typeof(long[]), typeof(double[]), typeof(float[]), typeof(string[]), typeof(object[]), typeof(char[]), typeof(bool[]),
    ];

    private static readonly Dictionary<Type, int> Numbers = Index();

    private static Dictionary<Type, int> Index()
    {
        var numbers = new Dictionary<Type, int>(ByNumber.Length);
        for (int i = 0; i < ByNumber.Length; i++)
            numbers.Add(ByNumber[i], i);
        return numbers;
    }

    internal static bool TryGetNumber(Type type, out int number) => Numbers.TryGetValue(type, out number);

    internal static Type? TryGetType(int number) => (uint)number < (uint)ByNumber.Length ? ByNumber[number] : null;
}
