namespace StartMethods.Payloads;

/// <summary>A dictionary: a MessagePack map.</summary>
internal sealed class MapContent<TKey, TValue>(Type type, Func<object?, object> create, Action<object, TKey, TValue> add, Type? comparerType, Func<object, object?>? comparerOf)
    : CollectionContent(type, comparerType) where TKey : notnull
{
    internal override object? ComparerOf(object value) => comparerOf?.Invoke(value);

    internal override object Create(object? comparer) => create(comparer);

    internal override void WriteItems(GraphWriter writer, object value) => MapItems<TKey, TValue>.Write(writer, (IEnumerable<KeyValuePair<TKey, TValue>>)value);

    internal override void ReadItems(GraphReader reader, object value)
    {
        KeyValuePair<TKey, TValue>[] read = MapItems<TKey, TValue>.Read(reader);
        if (IsWhole(typeof(TKey)))
            AddAll(value, read);
        else
            reader.OnCompleted(() => AddAll(value, read));
    }

    private void AddAll(object value, KeyValuePair<TKey, TValue>[] read)
    {
        foreach (KeyValuePair<TKey, TValue> pair in read)
            add(value, pair.Key, pair.Value);
    }
}

/// <summary>A dictionary that is made from all of its items at once.</summary>
internal sealed class WholeMapContent<TKey, TValue>(Type type, Func<KeyValuePair<TKey, TValue>[], object?, object> build, Type? comparerType, Func<object, object?>? comparerOf)
    : CollectionContent(type, comparerType) where TKey : notnull
{
    internal override bool ExistsEarly => false;

    internal override object? ComparerOf(object value) => comparerOf?.Invoke(value);

    internal override object Create(object? comparer) => throw new NotSupportedException($"{Type} is created whole");

    internal override void WriteItems(GraphWriter writer, object value) => MapItems<TKey, TValue>.Write(writer, (IEnumerable<KeyValuePair<TKey, TValue>>)value);

    internal override void ReadItems(GraphReader reader, object value) => throw new NotSupportedException($"{Type} is created whole");

    internal override object Read(GraphReader reader, int id)
    {
        object? comparer = ReadComparer(reader);
        return build(MapItems<TKey, TValue>.Read(reader), comparer);
    }
}

internal static class MapItems<TKey, TValue>
{
    internal static void Write(GraphWriter writer, IEnumerable<KeyValuePair<TKey, TValue>> items)
    {
        KeyValuePair<TKey, TValue>[] snapshot = [.. items];
        Codec<TKey> keys = Codecs.Typed<TKey>();
        Codec<TValue> values = Codecs.Typed<TValue>();
        writer.WriteMapHeader(snapshot.Length);
        foreach (KeyValuePair<TKey, TValue> pair in snapshot)
        {
            writer.Path?.EnterKey(pair.Key!);
            keys.Write(writer, pair.Key);
            values.Write(writer, pair.Value);
            writer.Path?.Leave();
        }
    }

    internal static KeyValuePair<TKey, TValue>[] Read(GraphReader reader)
    {
        Codec<TKey> keys = Codecs.Typed<TKey>();
        Codec<TValue> values = Codecs.Typed<TValue>();
        int count = reader.ReadMapHeader();
        reader.CheckRemaining(count, keys.MinimumSize + values.MinimumSize);
        var items = new KeyValuePair<TKey, TValue>[count];
        for (int i = 0; i < count; i++)
        {
            TKey key = keys.Read(reader);
            items[i] = new(key, values.Read(reader));
        }
        return items;
    }
}
