using System.Runtime.InteropServices;

namespace StartMethods.Payloads;

/// <summary>A collection of the framework: its comparer, if it has one, and its items. How it stores them is its own affair.</summary>
internal abstract class CollectionContent(Type type, Type? comparerType) : Content(type)
{
    private readonly ReferenceCodec? _comparer = comparerType is null ? null : new ReferenceCodec(comparerType);

    internal bool HasComparer => _comparer is not null;

    // The actual type may be an internal subclass, chosen by the items.
    internal override Type WireType(Type declared) => Type;

    internal override void Write(GraphWriter writer, object value, int id)
    {
        if (_comparer is not null)
        {
            writer.WriteArrayHeader(2);
            writer.WriteReference(ComparerOf(value), _comparer);
        }
        WriteItems(writer, value);
    }

    internal override object Read(GraphReader reader, int id)
    {
        object value = Create(ReadComparer(reader));
        reader.SetObject(id, value);
        ReadItems(reader, value);
        return value;
    }

    internal object? ReadComparer(GraphReader reader)
    {
        if (_comparer is null)
            return null;
        reader.ReadArrayHeader(2);
        return reader.ReadReference(_comparer);
    }

    /// <summary>The comparer unless it is the default one.</summary>
    internal virtual object? ComparerOf(object value) => null;

    internal abstract object Create(object? comparer);

    internal abstract void WriteItems(GraphWriter writer, object value);

    /// <summary>Adds the items to a new collection.</summary>
    internal abstract void ReadItems(GraphReader reader, object value);

    /// <summary>Whether items of this type can be compared and hashed before the rest of the graph is read.</summary>
    internal static bool IsWhole(Type type) => type == typeof(string) || type.IsPrimitive || type.IsEnum || type.IsValueType && FrameworkTypes.Contains(type) && !type.IsGenericType;
}

/// <summary>The most common collection; deep trees of it do not cost stack.</summary>
internal sealed class ListContent<T>(Type type) : CollectionContent(type, null)
{
    private static readonly bool IsMemory = ArrayContents.IsMemory(typeof(T));

    internal override bool IsDeferrable => true;

    internal override object Create(object? comparer) => new List<T>();

    internal override object Allocate() => new List<T>();

    internal override void Fill(GraphReader reader, object value) => ReadItems(reader, value);

    internal override void WriteItems(GraphWriter writer, object value)
    {
        Span<T> items = CollectionsMarshal.AsSpan((List<T>)value);
        if (IsMemory)
        {
            writer.WriteBinary(MemoryElements<T>.Bytes(items));
            return;
        }
        ValueArrayContent<T>.WriteElements(writer, items);
    }

    internal override void ReadItems(GraphReader reader, object value)
    {
        var list = (List<T>)value;
        if (IsMemory)
        {
            list.AddRange(MemoryElements<T>.Elements(reader.ReadBinary()));
            return;
        }
        Codec<T> codec = Codecs.Typed<T>();
        int count = reader.ReadArrayHeader(codec);
        list.EnsureCapacity(list.Count + count);
        for (int i = 0; i < count; i++)
            list.Add(codec.Read(reader));
    }
}

/// <summary>Any other collection that is filled item by item.</summary>
internal sealed class SequenceContent<T>(Type type, Func<object?, object> create, Action<object, T> add, Func<object, IEnumerable<T>> items,
    Type? comparerType = null, Func<object, object?>? comparerOf = null) : CollectionContent(type, comparerType)
{
    internal override object? ComparerOf(object value) => comparerOf?.Invoke(value);

    internal override object Create(object? comparer) => create(comparer);

    internal override void WriteItems(GraphWriter writer, object value) => SequenceItems<T>.Write(writer, items(value));

    internal override void ReadItems(GraphReader reader, object value)
    {
        T[] read = SequenceItems<T>.Read(reader);
        if (!HasComparer || IsWhole(typeof(T)))
            AddAll(value, read);
        else
            reader.OnCompleted(() => AddAll(value, read));
    }

    private void AddAll(object value, T[] read)
    {
        foreach (T item in read)
            add(value, item);
    }
}

/// <summary>A collection that is made from all of its items at once, so that no cycle can lead through it.</summary>
internal sealed class WholeContent<T>(Type type, Func<T[], object?, object> build, Func<object, IEnumerable<T>> items,
    Type? comparerType = null, Func<object, object?>? comparerOf = null) : CollectionContent(type, comparerType)
{
    internal override bool ExistsEarly => false;

    internal override object? ComparerOf(object value) => comparerOf?.Invoke(value);

    internal override object Create(object? comparer) => throw new NotSupportedException($"{Type} is created whole");

    internal override void WriteItems(GraphWriter writer, object value) => SequenceItems<T>.Write(writer, items(value));

    internal override void ReadItems(GraphReader reader, object value) => throw new NotSupportedException($"{Type} is created whole");

    internal override object Read(GraphReader reader, int id)
    {
        object? comparer = ReadComparer(reader);
        return build(SequenceItems<T>.Read(reader), comparer);
    }
}

internal static class SequenceItems<T>
{
    internal static void Write(GraphWriter writer, IEnumerable<T> items)
    {
        // A snapshot: the count must be right even if another thread adds to a concurrent collection meanwhile.
        T[] snapshot = [.. items];
        Codec<T> codec = Codecs.Typed<T>();
        writer.WriteArrayHeader(snapshot.Length);
        for (int i = 0; i < snapshot.Length; i++)
        {
            writer.Path?.EnterIndex(i);
            codec.Write(writer, snapshot[i]);
            writer.Path?.Leave();
        }
    }

    internal static T[] Read(GraphReader reader)
    {
        Codec<T> codec = Codecs.Typed<T>();
        var items = new T[reader.ReadArrayHeader(codec)];
        for (int i = 0; i < items.Length; i++)
            items[i] = codec.Read(reader);
        return items;
    }
}

/// <summary>A class of the application that derives from a collection of the framework: made by its own constructor, filled, and its own fields set.</summary>
internal sealed class DerivedCollectionContent : Content
{
    private readonly CollectionContent _base;
    private readonly FieldsPlan _own;

    internal DerivedCollectionContent(Type type, CollectionContent @base) : base(type)
    {
        _base = @base;
        Type level = @base.Type;
        _own = new FieldsPlan(type, Array.FindAll(FieldsPlan.FieldsOf(type), field => field.DeclaringType!.IsSubclassOf(level)));
    }

    internal override void Write(GraphWriter writer, object value, int id)
    {
        if (!HasConstructor)
            throw Refusals.Refuse(Type, "It derives from a collection of the framework, so it is created by its constructor: give it one without parameters.");
        writer.WriteArrayHeader(1 + _own.Count);
        _base.Write(writer, value, id);
        _own.Write(writer, value);
    }

    private bool HasConstructor => Type.GetConstructor(System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.NonPublic, []) is not null;

    internal override object Read(GraphReader reader, int id)
    {
        reader.ReadArrayHeader(1 + _own.Count);
        object value = Activator.CreateInstance(Type, nonPublic: true)!;
        reader.SetObject(id, value);
        _base.ReadComparer(reader); // the constructor has chosen it
        _base.ReadItems(reader, value);
        _own.Read(reader, value);
        return value;
    }
}
