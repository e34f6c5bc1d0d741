namespace StartMethods.Payloads;

/// <summary>Writes one object graph: identity, actual types, depth. One instance serves one payload at a time.</summary>
internal sealed partial class GraphWriter : MessagePackWriter
{
    private readonly WrittenObjects _objects = new();
    private readonly Queue<DeferredObject> _deferred = new();
    private int _depth;

    /// <summary>Which captured fields the body being written uses; null writes all of a closure.</summary>
    internal ClosureUsage? Usage { get; set; }

    internal IPayloadSerializer? Serializer { get; set; }

    /// <summary>Set for the second attempt after a refusal, which only finds out where the culprit is.</summary>
    internal PayloadPath? Path { get; set; }

    /// <summary>Whether the reader is the more privileged side: types are chosen from what the declared type allows.</summary>
    internal bool IsResult { get; set; }

    internal void WriteReference(object? value, ReferenceCodec slot)
    {
        if (value is null)
        {
            WriteNil();
            return;
        }
        if (slot.MayBeForeign && WriteForeign(value, slot.Declared))
            return;
        Type type = value.GetType();
        if (slot.IsObject && WriteShort(value, type))
            return;
        if (IsResult && slot.ElementType is { } element && type != slot.Declared && !ResultTypes.Allows(slot.Declared, Contents.For(type).WireType(slot.Declared)))
            (value, type) = (Sequences.ToArray(value, element), element.MakeArrayType()); // a query or an iterator: its items are what was declared
        Content content = type == slot.Declared ? slot.Exact : Contents.For(type);
        int id = -1;
        if (content.IsTracked && !_objects.TryAdd(value, Usage, content.ExistsEarly, out id))
        {
            WriteBackReference(value, id, content);
            return;
        }
        if (!slot.IsExact)
            WriteActualType(content, slot);
        WriteContent(content, value, id, defer: false);
    }

    private void WriteActualType(Content content, ReferenceCodec slot)
    {
        Type type = content.WireType(slot.Declared);
        WriteArrayHeader(2);
        if (type == slot.Declared)
            WriteNil();
        else if (IsResult)
            WriteResultType(type, slot.Declared);
        else
            WriteType(type);
    }

    private void WriteContent(Content content, object value, int id, bool defer)
    {
        if ((defer || _depth >= WireFormat.DeferDepth) && content.IsDeferrable)
        {
            WriteExtension(WireFormat.Deferred, 0);
            Path?.Remember(value);
            _deferred.Enqueue(new DeferredObject(id, value, content, Usage));
            return;
        }
        if (_depth >= WireFormat.MaximumDepth)
            throw new PayloadException($"Values of {TypeText.Short(content.Type)} are nested more than {WireFormat.MaximumDepth} deep. Send a flatter structure, such as a list with indexes.");
        _depth++;
        content.Write(this, value, id);
        _depth--;
        if (!content.ExistsEarly && id >= 0)
            _objects.Complete(id);
    }

    private void WriteBackReference(object value, int id, Content content)
    {
        if (!_objects.IsComplete(id))
            throw new PayloadException($"A {TypeText.Short(content.Type)} contains itself. It can only be created whole; break the cycle, or use a List<T> or an array there.");
        WriteExtension(WireFormat.BackReference, id);
        if (content is ClosureContent)
            Revisit(value, id, content);
    }

    /// <summary>The object that a body is bound to; <paramref name="defer"/> puts its content behind the graph, so that it may contain its own delegate.</summary>
    internal void WriteTarget(object? target, ReferenceCodec slot, ClosureUsage? usage, bool defer)
    {
        ClosureUsage? outer = Usage;
        Usage = usage;
        if (target is not null && defer && Contents.For(target.GetType()) is { IsDeferrable: true } content && _objects.TryAdd(target, usage, true, out int id))
        {
            if (!slot.IsExact)
                WriteActualType(content, slot);
            WriteContent(content, target, id, defer: true);
        }
        else
        {
            WriteReference(target, slot);
        }
        Usage = outer;
    }

    // Where object is declared, the commonest values say their type by their MessagePack code.
    private bool WriteShort(object value, Type type)
    {
        if (type == typeof(string))
            WriteString((string)value);
        else if (type == typeof(int))
            WriteInt32((int)value);
        else if (type == typeof(bool))
            WriteBoolean((bool)value);
        else if (type == typeof(double))
            WriteDouble((double)value);
        else
            return false;
        return true;
    }

    /// <summary>A value that stands for itself: an argument or a result.</summary>
    internal void WriteRoot(object? value, Type declared)
    {
        if (value is null || !WriteForeign(value, declared))
            Codecs.For(declared).WriteBoxed(this, value);
    }

    /// <summary>Lets the serializer of the user write the value, if it takes values declared like this.</summary>
    internal bool WriteForeign(object value, Type declared)
    {
        if (Serializer is null || !Serializer.CanSerialize(declared))
            return false;
        int start = BeginExtension(WireFormat.Foreign);
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        Serializer.Serialize(value, declared, output);
        WriteRaw(output.WrittenSpan);
        EndExtension(start);
        return true;
    }

    /// <summary>The objects whose content was put off, and fields of closures that turned out to be used later. Ends a payload.</summary>
    internal void WriteDeferred()
    {
        while (_deferred.TryDequeue(out DeferredObject? item))
        {
            Usage = item.Usage;
            _depth = 0;
            if (item.Content is ClosureContent closure && _objects.WasWritten(item.Id))
            {
                WriteMissingFields(closure, item.Value, item.Id);
                continue;
            }
            _objects.MarkWritten(item.Id);
            WriteArrayHeader(2);
            WriteInt32(item.Id);
            Path?.Restart(item.Value);
            item.Content.Write(this, item.Value, item.Id);
        }
        WriteNil();
    }

    // The same closure was reached on behalf of another body, which may use other fields of it and of the closures around it.
    private void Revisit(object closure, int id, Content content)
    {
        if (!_objects.AddUsage(id, Usage))
            return;
        Path?.Remember(closure);
        _deferred.Enqueue(new DeferredObject(id, closure, content, Usage));
    }

    private void WriteMissingFields(ClosureContent content, object closure, int id)
    {
        ulong used = content.MaskOf(Usage), missing = used & ~_objects.Mask(id);
        if (missing != 0)
        {
            WriteArrayHeader(2);
            WriteInt32(id);
            Path?.Restart(closure);
            content.WriteFields(this, closure, id, missing);
        }
        foreach (object outer in content.OuterClosures(closure, used & ~missing))
        {
            if (_objects.TryFind(outer, out int outerId))
                Revisit(outer, outerId, Contents.For(outer.GetType()));
        }
    }

    /// <summary>Notes which fields of a closure are in the payload.</summary>
    internal void AddMask(int id, ulong mask)
    {
        _objects.MarkWritten(id);
        _objects.AddMask(id, mask);
    }

    internal void Reset()
    {
        ResetBuffer();
        ResetTypes();
        _objects.Clear();
        _deferred.Clear();
        _handles?.Clear();
        _buffers?.Clear();
        _ownFunctions?.Clear();
        _depth = 0;
        Usage = null;
        Serializer = null;
        Path = null;
        IsResult = false;
    }
}

/// <summary>An object whose content stands behind the graph. A class: a queue of structures would have to be compiled in every child.</summary>
internal sealed class DeferredObject(int id, object value, Content content, ClosureUsage? usage)
{
    internal readonly int Id = id;
    internal readonly object Value = value;
    internal readonly Content Content = content;
    internal readonly ClosureUsage? Usage = usage;
}
