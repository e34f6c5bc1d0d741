using System.Runtime.CompilerServices;

namespace StartMethods.Payloads;

/// <summary>
/// What is known about each type, made at its first use. Reading takes no lock. It stands where a ConcurrentDictionary would, whose assembly a
/// fresh child would have to load first.
/// </summary>
internal sealed class TypeMap<T>(Func<Type, T> create) where T : class
{
    private readonly Lock _gate = new();
    private Entry?[] _buckets = new Entry?[64];
    private int _count;

    private sealed class Entry(Type type, T value, Entry? next)
    {
        internal readonly Type Type = type;
        internal readonly T Value = value;
        internal readonly Entry? Next = next;
    }

    internal T this[Type type] => Find(Volatile.Read(ref _buckets), type) ?? Add(type, create(type));

    private static T? Find(Entry?[] buckets, Type type)
    {
        for (Entry? entry = Volatile.Read(ref buckets[RuntimeHelpers.GetHashCode(type) & (buckets.Length - 1)]); entry is not null; entry = entry.Next)
        {
            if (ReferenceEquals(entry.Type, type))
                return entry.Value;
        }
        return null;
    }

    // Made outside the lock, because making one may need another; of two that were made at once the first stays.
    private T Add(Type type, T value)
    {
        lock (_gate)
        {
            if (Find(_buckets, type) is { } known)
                return known;
            if (++_count > _buckets.Length)
                Grow();
            Put(_buckets, type, value);
            return value;
        }
    }

    private void Grow()
    {
        var larger = new Entry?[_buckets.Length * 4];
        foreach (Entry? first in _buckets)
        {
            for (Entry? entry = first; entry is not null; entry = entry.Next)
                Put(larger, entry.Type, entry.Value);
        }
        Volatile.Write(ref _buckets, larger);
    }

    private static void Put(Entry?[] buckets, Type type, T value)
    {
        ref Entry? bucket = ref buckets[RuntimeHelpers.GetHashCode(type) & (buckets.Length - 1)];
        Volatile.Write(ref bucket, new Entry(type, value, bucket));
    }
}
