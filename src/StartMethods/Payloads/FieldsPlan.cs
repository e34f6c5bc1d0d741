using System.Reflection;
using System.Runtime.CompilerServices;

namespace StartMethods.Payloads;

/// <summary>
/// Some fields of one type, in order. The first uses go through reflection, which a fresh process can run at once; a plan that is used
/// often is compiled, which costs about a millisecond once.
/// </summary>
internal sealed class FieldsPlan
{
    // A child that runs one job and ends must never pay for compilation; a pool reaches this within its first few dozen tasks.
    private const int CompileAfter = 30;
    // FieldAttributes.NotSerialized: obsolete with the formatters that it was made for, but [NonSerialized] still says what it says.
    private const int NotSerialized = 0x80;
    private readonly Type _owner;
    private readonly FieldInfo[] _fields;
    private readonly Codec?[] _codecs;
    private int _uses;
    private Action<GraphWriter, object, Codec[]>? _write;
    private Action<GraphReader, object, Codec[]>? _read;

    internal FieldsPlan(Type owner, FieldInfo[] fields)
    {
        _owner = owner;
        _fields = fields;
        _codecs = new Codec?[fields.Length];
    }

    internal int Count => _fields.Length;

    internal int MinimumSize
    {
        get
        {
            int sum = 0;
            for (int i = 0; i < _fields.Length; i++)
                sum += CodecOf(i).MinimumSize;
            return sum;
        }
    }

    /// <summary>The instance fields of a type and its bases, base first, in the order of declaration, without those marked [NonSerialized].</summary>
    internal static FieldInfo[] FieldsOf(Type type)
    {
        var fields = new List<FieldInfo>();
        for (Type? level = type; level is not null && level != typeof(object) && level != typeof(ValueType); level = level.BaseType)
        {
            FieldInfo[] own = level.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);
            own = Array.FindAll(own, static field => ((int)field.Attributes & NotSerialized) == 0);
            Array.Sort(own, static (a, b) => a.MetadataToken.CompareTo(b.MetadataToken));
            fields.InsertRange(0, own);
        }
        return [.. fields];
    }

    private Codec CodecOf(int index) => _codecs[index] ??= Codecs.For(_fields[index].FieldType);

    internal void Write(GraphWriter writer, object value)
    {
        if (writer.Path is { } path)
        {
            WriteWithPath(writer, value, path);
            return;
        }
        if (_write is not null)
        {
            _write(writer, value, _codecs!);
            return;
        }
        for (int i = 0; i < _fields.Length; i++)
            CodecOf(i).WriteBoxed(writer, _fields[i].GetValue(value));
        Count1();
    }

    private void WriteWithPath(GraphWriter writer, object value, PayloadPath path)
    {
        for (int i = 0; i < _fields.Length; i++)
        {
            path.Enter(_owner, _fields[i]);
            CodecOf(i).WriteBoxed(writer, _fields[i].GetValue(value));
            path.Leave();
        }
    }

    internal void Read(GraphReader reader, object value)
    {
        if (_read is not null)
        {
            _read(reader, value, _codecs!);
            return;
        }
        for (int i = 0; i < _fields.Length; i++)
            _fields[i].SetValue(value, CodecOf(i).ReadBoxed(reader));
        Count1();
    }

    private void Count1()
    {
        if (++_uses != CompileAfter || !RuntimeFeature.IsDynamicCodeCompiled)
            return;
        for (int i = 0; i < _fields.Length; i++)
            CodecOf(i);
        FieldsCompiler.Compile(_owner, _fields, _codecs!, out _write, out _read);
    }
}

/// <summary>An object of the application: all of its fields. Its constructor does not run.</summary>
internal sealed class PlainContent(Type type) : Content(type)
{
    private readonly FieldsPlan _plan = new(type, FieldsPlan.FieldsOf(type));

    internal override bool IsDeferrable => true;

    internal override void Write(GraphWriter writer, object value, int id)
    {
        writer.WriteArrayHeader(_plan.Count);
        _plan.Write(writer, value);
    }

    internal override object Allocate() => RuntimeHelpers.GetUninitializedObject(Type);

    internal override void Fill(GraphReader reader, object value)
    {
        reader.ReadArrayHeader(_plan.Count);
        _plan.Read(reader, value);
    }
}

/// <summary>A structure: all of its fields.</summary>
internal sealed class StructCodec(Type type) : Codec
{
    internal FieldsPlan Plan { get; } = new(type, FieldsPlan.FieldsOf(type));

    internal override int MinimumSize => 1 + Plan.MinimumSize;

    internal override void WriteBoxed(GraphWriter writer, object? value)
    {
        writer.WriteArrayHeader(Plan.Count);
        Plan.Write(writer, value!);
    }

    internal override object ReadBoxed(GraphReader reader)
    {
        object value = RuntimeHelpers.GetUninitializedObject(type);
        reader.ReadArrayHeader(Plan.Count);
        Plan.Read(reader, value);
        return value;
    }
}

/// <inheritdoc cref="StructCodec"/>
internal sealed class StructCodec<T>(StructCodec boxed) : Codec<T>
{
    internal override int MinimumSize => boxed.MinimumSize;

    // Boxes each value: one plan then serves fields, elements and boxed values. Arrays of plain numbers in structures are copied as memory.
    internal override void Write(GraphWriter writer, T value) => boxed.WriteBoxed(writer, value);

    internal override T Read(GraphReader reader) => (T)boxed.ReadBoxed(reader);
}
