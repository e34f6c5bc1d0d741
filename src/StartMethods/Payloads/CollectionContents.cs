using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Collections.ObjectModel;

namespace StartMethods.Payloads;

/// <summary>The collections of the framework, by name, so that the assemblies of those that do not travel are never loaded.</summary>
internal static class CollectionContents
{
    internal static Content? Create(Type type)
    {
        for (Type? level = type; level is not null && level != typeof(object); level = level.BaseType)
        {
            if (!FrameworkTypes.Contains(level) || Find(level) is not { } content)
                continue;
            return level == type || FrameworkTypes.Contains(type) ? content : new DerivedCollectionContent(type, content);
        }
        return null;
    }

    private static CollectionContent? Find(Type type)
    {
        if (!type.IsGenericType)
            return FindUntyped(type);
        if (type.IsGenericTypeDefinition)
            return null;
        string name = type.GetGenericTypeDefinition().FullName!;
        if (!name.StartsWith("System.Collections.", StringComparison.Ordinal))
            return null;
        Type[] arguments = type.GetGenericArguments();
        if (Array.Exists(arguments, static argument => argument.IsByRefLike))
            return null;
        Type? factory = arguments.Length switch { 1 => typeof(SequenceFactory<>), 2 => typeof(MapFactory<,>), _ => null };
        return factory is null || !IsKnown(name) ? null : ((CollectionFactory)Activator.CreateInstance(factory.MakeGenericType(arguments))!).Create(name, type);
    }

    private static bool IsKnown(string name) => !name.Contains("Comparer", StringComparison.Ordinal) && !name.Contains("Enumer", StringComparison.Ordinal);

    private static CollectionContent? FindUntyped(Type type) => type.FullName switch
    {
        "System.Collections.ArrayList" => new SequenceContent<object?>(type, static _ => new ArrayList(), static (c, x) => ((ArrayList)c).Add(x), static c => ((ArrayList)c).ToArray()),
        "System.Collections.Hashtable" => new SequenceContent<KeyValuePair<object, object?>>(type, static _ => new Hashtable(),
            static (c, x) => ((Hashtable)c).Add(x.Key, x.Value), static c => Pairs((Hashtable)c), typeof(IEqualityComparer), static _ => null),
        _ => null,
    };

    private static IEnumerable<KeyValuePair<object, object?>> Pairs(Hashtable table)
    {
        foreach (DictionaryEntry entry in table)
            yield return new(entry.Key, entry.Value);
    }
}

internal abstract class CollectionFactory
{
    internal abstract CollectionContent? Create(string name, Type type);
}

/// <summary>Collections of one type argument. Each assembly is named in a method of its own, which only runs when such a collection travels.</summary>
internal sealed class SequenceFactory<T> : CollectionFactory
{
    private static readonly Type Equality = typeof(IEqualityComparer<T>), Order = typeof(IComparer<T>);

    private static object? Custom(IEqualityComparer<T> comparer) => comparer.Equals(EqualityComparer<T>.Default) ? null : comparer;

    private static object? Custom(IComparer<T> comparer) => comparer.Equals(Comparer<T>.Default) ? null : comparer;

    private static IEnumerable<T> Items(object collection) => (IEnumerable<T>)collection;

    internal override CollectionContent? Create(string name, Type type) => name switch
    {
        "System.Collections.Generic.List`1" => new ListContent<T>(type),
        "System.Collections.Generic.HashSet`1" => new SequenceContent<T>(type, static c => new HashSet<T>((IEqualityComparer<T>?)c), static (c, x) => ((HashSet<T>)c).Add(x), Items, Equality, static c => Custom(((HashSet<T>)c).Comparer)),
        "System.Collections.Generic.Queue`1" => new SequenceContent<T>(type, static _ => new Queue<T>(), static (c, x) => ((Queue<T>)c).Enqueue(x), Items),
        "System.Collections.Concurrent.ConcurrentQueue`1" => new SequenceContent<T>(type, static _ => new ConcurrentQueue<T>(), static (c, x) => ((ConcurrentQueue<T>)c).Enqueue(x), Items),
        "System.Collections.ObjectModel.Collection`1" => new SequenceContent<T>(type, static _ => new Collection<T>(), static (c, x) => ((Collection<T>)c).Add(x), Items),
        "System.Collections.ObjectModel.ReadOnlyCollection`1" => new WholeContent<T>(type, static (items, _) => new ReadOnlyCollection<T>(items), Items),
        "System.Collections.Generic.Stack`1" => Stacks(type),
        "System.Collections.Generic.LinkedList`1" => LinkedLists(type),
        "System.Collections.Generic.SortedSet`1" => SortedSets(type),
        "System.Collections.Concurrent.ConcurrentStack`1" => ConcurrentStacks(type),
        "System.Collections.Concurrent.ConcurrentBag`1" => ConcurrentBags(type),
        "System.Collections.ObjectModel.ObservableCollection`1" => Observables(type),
        "System.Collections.Immutable.ImmutableList`1" => ImmutableLists(type),
        "System.Collections.Immutable.ImmutableHashSet`1" => ImmutableHashSets(type),
        "System.Collections.Immutable.ImmutableSortedSet`1" => ImmutableSortedSets(type),
        "System.Collections.Immutable.ImmutableQueue`1" => new WholeContent<T>(type, static (items, _) => ImmutableQueue.CreateRange(items), Items),
        "System.Collections.Immutable.ImmutableStack`1" => ImmutableStacks(type),
        "System.Collections.Frozen.FrozenSet`1" => FrozenSets(type),
        _ => null,
    };

    private static SequenceContent<T> Stacks(Type type) => new(type, static _ => new Stack<T>(), static (c, x) => ((Stack<T>)c).Push(x), static c => Reverse(Items(c)));

    private static SequenceContent<T> LinkedLists(Type type) => new(type, static _ => new LinkedList<T>(), static (c, x) => ((LinkedList<T>)c).AddLast(x), Items);

    private static SequenceContent<T> SortedSets(Type type) =>
        new(type, static c => new SortedSet<T>((IComparer<T>?)c), static (c, x) => ((SortedSet<T>)c).Add(x), Items, Order, static c => Custom(((SortedSet<T>)c).Comparer));

    private static SequenceContent<T> ConcurrentStacks(Type type) => new(type, static _ => new ConcurrentStack<T>(), static (c, x) => ((ConcurrentStack<T>)c).Push(x), static c => Reverse(Items(c)));

    private static SequenceContent<T> ConcurrentBags(Type type) => new(type, static _ => new ConcurrentBag<T>(), static (c, x) => ((ConcurrentBag<T>)c).Add(x), static c => Reverse(Items(c)));

    private static SequenceContent<T> Observables(Type type) => new(type, static _ => new ObservableCollection<T>(), static (c, x) => ((ObservableCollection<T>)c).Add(x), Items);

    private static WholeContent<T> ImmutableLists(Type type) => new(type, static (items, _) => ImmutableList.CreateRange(items), Items);

    private static WholeContent<T> ImmutableStacks(Type type) => new(type, static (items, _) => ImmutableStack.CreateRange(items), static c => Reverse(Items(c)));

    private static WholeContent<T> ImmutableHashSets(Type type) => new(type, static (items, c) => ImmutableHashSet.CreateRange((IEqualityComparer<T>?)c, items), Items, Equality, static c => Custom(((ImmutableHashSet<T>)c).KeyComparer));

    private static WholeContent<T> ImmutableSortedSets(Type type) => new(type, static (items, c) => ImmutableSortedSet.CreateRange((IComparer<T>?)c, items), Items, Order, static c => Custom(((ImmutableSortedSet<T>)c).KeyComparer));

    private static WholeContent<T> FrozenSets(Type type) =>
        new(type, static (items, c) => System.Collections.Frozen.FrozenSet.ToFrozenSet(items, (IEqualityComparer<T>?)c), Items, Equality, static c => Custom(((System.Collections.Frozen.FrozenSet<T>)c).Comparer));

    private static T[] Reverse(IEnumerable<T> items)
    {
        T[] array = [.. items];
        Array.Reverse(array);
        return array;
    }
}

/// <summary>Collections of two type arguments.</summary>
internal sealed class MapFactory<TKey, TValue> : CollectionFactory where TKey : notnull
{
    private static readonly Type Equality = typeof(IEqualityComparer<TKey>), Order = typeof(IComparer<TKey>);

    private static object? Custom(IEqualityComparer<TKey> comparer) => comparer.Equals(EqualityComparer<TKey>.Default) ? null : comparer;

    private static object? Custom<T>(IComparer<T> comparer) => comparer.Equals(Comparer<T>.Default) ? null : comparer;

    internal override CollectionContent? Create(string name, Type type) => name switch
    {
        "System.Collections.Generic.Dictionary`2" => new MapContent<TKey, TValue>(type, static c => new Dictionary<TKey, TValue>((IEqualityComparer<TKey>?)c),
            static (c, k, v) => ((Dictionary<TKey, TValue>)c).Add(k, v), Equality, static c => Custom(((Dictionary<TKey, TValue>)c).Comparer)),
        "System.Collections.Concurrent.ConcurrentDictionary`2" => new MapContent<TKey, TValue>(type, static c => new ConcurrentDictionary<TKey, TValue>((IEqualityComparer<TKey>?)c),
            static (c, k, v) => ((ConcurrentDictionary<TKey, TValue>)c).TryAdd(k, v), Equality, static c => Custom(((ConcurrentDictionary<TKey, TValue>)c).Comparer)),
        "System.Collections.ObjectModel.ReadOnlyDictionary`2" => new WholeMapContent<TKey, TValue>(type, static (items, _) => new ReadOnlyDictionary<TKey, TValue>(new Dictionary<TKey, TValue>(items)), null, null),
        "System.Collections.Generic.SortedDictionary`2" => SortedDictionaries(type),
        "System.Collections.Generic.SortedList`2" => SortedLists(type),
        "System.Collections.Generic.OrderedDictionary`2" => OrderedDictionaries(type),
        "System.Collections.Generic.PriorityQueue`2" => PriorityQueues(type),
        "System.Collections.Immutable.ImmutableDictionary`2" => ImmutableDictionaries(type),
        "System.Collections.Immutable.ImmutableSortedDictionary`2" => ImmutableSortedDictionaries(type),
        "System.Collections.Frozen.FrozenDictionary`2" => FrozenDictionaries(type),
        _ => null,
    };

    private static MapContent<TKey, TValue> SortedDictionaries(Type type) => new(type, static c => new SortedDictionary<TKey, TValue>((IComparer<TKey>?)c),
        static (c, k, v) => ((SortedDictionary<TKey, TValue>)c).Add(k, v), Order, static c => Custom(((SortedDictionary<TKey, TValue>)c).Comparer));

    private static MapContent<TKey, TValue> SortedLists(Type type) => new(type, static c => new SortedList<TKey, TValue>((IComparer<TKey>?)c),
        static (c, k, v) => ((SortedList<TKey, TValue>)c).Add(k, v), Order, static c => Custom(((SortedList<TKey, TValue>)c).Comparer));

    private static MapContent<TKey, TValue> OrderedDictionaries(Type type) => new(type, static c => new OrderedDictionary<TKey, TValue>((IEqualityComparer<TKey>?)c),
        static (c, k, v) => ((OrderedDictionary<TKey, TValue>)c).Add(k, v), Equality, static c => Custom(((OrderedDictionary<TKey, TValue>)c).Comparer));

    private static SequenceContent<(TKey, TValue)> PriorityQueues(Type type) => new(type, static c => new PriorityQueue<TKey, TValue>((IComparer<TValue>?)c),
        static (c, x) => ((PriorityQueue<TKey, TValue>)c).Enqueue(x.Item1, x.Item2), static c => ((PriorityQueue<TKey, TValue>)c).UnorderedItems,
        typeof(IComparer<TValue>), static c => Custom(((PriorityQueue<TKey, TValue>)c).Comparer));

    private static WholeMapContent<TKey, TValue> ImmutableDictionaries(Type type) => new(type, static (items, c) => ImmutableDictionary.CreateRange((IEqualityComparer<TKey>?)c, items),
        Equality, static c => Custom(((ImmutableDictionary<TKey, TValue>)c).KeyComparer));

    private static WholeMapContent<TKey, TValue> ImmutableSortedDictionaries(Type type) => new(type, static (items, c) => ImmutableSortedDictionary.CreateRange((IComparer<TKey>?)c, items),
        Order, static c => Custom(((ImmutableSortedDictionary<TKey, TValue>)c).KeyComparer));

    private static WholeMapContent<TKey, TValue> FrozenDictionaries(Type type) => new(type,
        static (items, c) => System.Collections.Frozen.FrozenDictionary.ToFrozenDictionary(items, (IEqualityComparer<TKey>?)c), Equality, static c => Custom(((System.Collections.Frozen.FrozenDictionary<TKey, TValue>)c).Comparer));
}
