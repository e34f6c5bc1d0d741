namespace StartMethods.Payloads;

/// <summary>The objects of a payload by identity, numbered in order of appearance.</summary>
internal sealed class WrittenObjects
{
    // Few objects are searched in a row; a dictionary costs more than it saves there.
    private const int LinearLimit = 12;
    private Entry[] _entries = new Entry[16];
    private int _count;
    private Dictionary<object, int>? _index;
    private HashSet<(int Id, ClosureUsage? Usage)>? _usages;

    private struct Entry
    {
        internal object Value;
        internal ClosureUsage? Usage;
        internal ulong Mask;
        internal bool IsComplete;
        internal bool WasWritten;
    }

    /// <summary>False if the object has a number already.</summary>
    internal bool TryAdd(object value, ClosureUsage? usage, bool isComplete, out int id)
    {
        if (TryFind(value, out id))
            return false;
        id = _count;
        if (_count == _entries.Length)
            Array.Resize(ref _entries, _count * 2);
        ref Entry entry = ref _entries[_count++];
        entry.Value = value;
        entry.Usage = usage;
        entry.Mask = 0;
        entry.IsComplete = isComplete;
        entry.WasWritten = false;
        if (_count == LinearLimit + 1)
            BuildIndex();
        else if (_count > LinearLimit)
            _index!.Add(value, id);
        return true;
    }

    private void BuildIndex()
    {
        _index ??= new Dictionary<object, int>(64, ReferenceEqualityComparer.Instance);
        for (int i = 0; i < _count; i++)
            _index.Add(_entries[i].Value, i);
    }

    internal bool TryFind(object value, out int id)
    {
        if (_count > LinearLimit)
            return _index!.TryGetValue(value, out id);
        for (id = 0; id < _count; id++)
        {
            if (ReferenceEquals(_entries[id].Value, value))
                return true;
        }
        return false;
    }

    internal bool IsComplete(int id) => _entries[id].IsComplete;

    internal void Complete(int id) => _entries[id].IsComplete = true;

    internal bool WasWritten(int id) => _entries[id].WasWritten;

    internal void MarkWritten(int id) => _entries[id].WasWritten = true;

    internal ulong Mask(int id) => _entries[id].Mask;

    internal void AddMask(int id, ulong mask) => _entries[id].Mask |= mask;

    /// <summary>Whether this closure is reached on behalf of this body for the first time.</summary>
    internal bool AddUsage(int id, ClosureUsage? usage) =>
        !ReferenceEquals(_entries[id].Usage, usage) && (_usages ??= []).Add((id, usage));

    internal void Clear()
    {
        Array.Clear(_entries, 0, _count);
        if (_entries.Length > 1024)
            _entries = new Entry[16];
        _count = 0;
        if (_index?.Count > 1024)
            _index = null;
        _index?.Clear();
        _usages = null;
    }
}
