using System.Diagnostics.CodeAnalysis;

namespace StartMethods.Payloads;

/// <summary>Reads one object graph. One instance serves one payload at a time.</summary>
internal sealed partial class GraphReader : MessagePackReader
{
    // A marker for a number that is taken by an object which does not exist yet.
    private static readonly object Pending = new();
    private readonly List<object> _objects = [];
    private Dictionary<int, Content>? _unfilled;
    private List<Action>? _completions;
    private int _depth;

    internal IPayloadSerializer? Serializer { get; set; }

    /// <summary>Whether what is read comes from a less privileged process: no type is looked up because the payload names it.</summary>
    internal bool IsResult { get; set; }

    internal object? ReadReference(ReferenceCodec slot)
    {
        byte code = Peek();
        if (code == 0xC0)
        {
            ReadNil();
            return null;
        }
        if (PeekExtension(out sbyte extension))
        {
            if (extension == WireFormat.BackReference)
                return ReadBackReference(slot.Declared);
            if (extension == WireFormat.Foreign)
                return ReadForeign(slot.Declared);
        }
        if (slot.IsExact)
            return ReadContent(slot.Exact);
        if (slot.IsObject && ReadShort(code, out object? value))
            return value;
        ReadArrayHeader(2);
        Content content = TryReadNil() ? slot.Exact : Contents.For(IsResult ? ReadResultType(slot.Declared) : ReadType());
        value = ReadContent(content);
        return slot.Declared.IsInstanceOfType(value) ? value : throw Malformed($"a {TypeText.Short(value.GetType())} stands where a {TypeText.Short(slot.Declared)} is declared");
    }

    private object ReadContent(Content content)
    {
        int id = -1;
        if (content.IsTracked)
        {
            id = _objects.Count;
            _objects.Add(Pending);
        }
        if (content.IsDeferrable && IsExtension(WireFormat.Deferred))
        {
            ReadExtensionNumber(WireFormat.Deferred);
            object value = content.Allocate();
            _objects[id] = value;
            (_unfilled ??= []).Add(id, content);
            return value;
        }
        if (++_depth > WireFormat.MaximumDepth)
            throw Malformed($"values are nested more than {WireFormat.MaximumDepth} deep");
        object result = content.Read(this, id);
        _depth--;
        if (id >= 0)
            _objects[id] = result;
        return result;
    }

    internal void SetObject(int id, object value) => _objects[id] = value;

    private object ReadBackReference(Type declared)
    {
        int id = ReadExtensionNumber(WireFormat.BackReference);
        if (id >= _objects.Count || ReferenceEquals(_objects[id], Pending))
            throw Malformed($"it refers to object {id}, which does not exist there");
        return declared.IsInstanceOfType(_objects[id])
            ? _objects[id]
            : throw Malformed($"a reference to a {TypeText.Short(_objects[id].GetType())} stands where a {TypeText.Short(declared)} is declared");
    }

    private bool ReadShort(byte code, [NotNullWhen(true)] out object? value)
    {
        value = code switch
        {
            0xC2 or 0xC3 => ReadBoolean(),
            < 0x80 or >= 0xE0 or 0xCC or 0xCD or 0xCE or 0xD0 or 0xD1 or 0xD2 => ReadInt32(),
            0xCB => ReadDouble(),
            _ when IsString(code) || IsExtension(WireFormat.Utf16) => ReadText(),
            _ => null,
        };
        return value is not null;
    }

    internal object? ReadRoot(Type declared) => IsExtension(WireFormat.Foreign) ? ReadForeign(declared) : Codecs.For(declared).ReadBoxed(this);

    private object ReadForeign(Type declared)
    {
        byte[] bytes = ReadExtension(WireFormat.Foreign).ToArray();
        if (Serializer is null || !Serializer.CanSerialize(declared))
            throw Malformed($"a {TypeText.Short(declared)} was written by a serializer that is not in use here");
        object? value = Serializer.Deserialize(bytes, declared);
        return declared.IsInstanceOfType(value) ? value : throw Malformed($"the serializer returned {(value is null ? "null" : TypeText.Short(value.GetType()))} for a {TypeText.Short(declared)}");
    }

    /// <summary>Runs <paramref name="completion"/> once every object has its content: for hash tables, whose keys must be whole to be hashed.</summary>
    internal void OnCompleted(Action completion) => (_completions ??= []).Add(completion);

    /// <summary>Reads what <see cref="GraphWriter.WriteDeferred"/> wrote. The nil behind it tells a payload that was cut off from one that is whole.</summary>
    internal void ReadDeferred()
    {
        while (!TryReadNil())
        {
            ReadArrayHeader(2);
            int id = ReadInt32(0, _objects.Count - 1);
            Content? content = null;
            if (_unfilled?.Remove(id, out content) != true)
            {
                // Only a closure may be filled a second time: with fields that another body uses.
                content = !IsResult && Contents.For(_objects[id].GetType()) is ClosureContent closure ? closure : throw Malformed($"object {id} is filled twice");
            }
            content!.Fill(this, _objects[id]);
        }
        if (_unfilled?.Count > 0)
            throw Malformed("an object has no content");
        for (int i = 0; i < (_completions?.Count ?? 0); i++)
            _completions![i]();
    }

    internal void Reset()
    {
        SetInput(default);
        ResetTypes();
        _objects.Clear();
        if (_objects.Capacity > 4096)
            _objects.Capacity = 0;
        _unfilled?.Clear();
        _completions?.Clear();
        _ownFunctions?.Clear();
        _depth = 0;
        _payload = null;
        Serializer = null;
        IsResult = false;
    }
}
