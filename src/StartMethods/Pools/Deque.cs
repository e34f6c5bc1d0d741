namespace StartMethods.Pools;

/// <summary>A queue with two ends over one ring of references; a window or a backlog that also gives tasks back at its front.</summary>
internal sealed class Deque<T> where T : class
{
    private T?[] _items = new T?[8];
    private int _first;

    internal int Count { get; private set; }

    internal T this[int index] => _items[(_first + index) & (_items.Length - 1)]!;

    internal T? First => Count == 0 ? null : this[0];

    internal void AddLast(T item)
    {
        EnsureRoom();
        _items[(_first + Count++) & (_items.Length - 1)] = item;
    }

    internal void AddFirst(T item)
    {
        EnsureRoom();
        _first = (_first - 1) & (_items.Length - 1);
        _items[_first] = item;
        Count++;
    }

    internal T RemoveFirst()
    {
        T item = this[0];
        _items[_first] = null; // a finished task must not be kept alive by the place it stood at
        _first = (_first + 1) & (_items.Length - 1);
        Count--;
        return item;
    }

    internal bool Remove(T item)
    {
        for (int i = 0; i < Count; i++)
        {
            if (!ReferenceEquals(this[i], item))
                continue;
            for (int j = i; j < Count - 1; j++)
                _items[(_first + j) & (_items.Length - 1)] = this[j + 1];
            _items[(_first + --Count) & (_items.Length - 1)] = null;
            return true;
        }
        return false;
    }

    private void EnsureRoom()
    {
        if (Count < _items.Length)
            return;
        var larger = new T?[_items.Length * 2];
        for (int i = 0; i < Count; i++)
            larger[i] = this[i];
        _items = larger;
        _first = 0;
    }
}
