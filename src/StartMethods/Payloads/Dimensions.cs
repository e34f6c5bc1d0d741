namespace StartMethods.Payloads;

/// <summary>The lengths and lower bounds of an array of several dimensions.</summary>
internal sealed class Dimensions
{
    private readonly int[] _lengths, _bounds;

    private Dimensions(int rank) => (_lengths, _bounds) = (new int[rank], new int[rank]);

    internal static void Write(GraphWriter writer, Array array)
    {
        writer.WriteArrayHeader(array.Rank * 2);
        for (int d = 0; d < array.Rank; d++)
        {
            writer.WriteInt32(array.GetLength(d));
            writer.WriteInt32(array.GetLowerBound(d));
        }
    }

    internal static Dimensions Read(GraphReader reader, Type type)
    {
        var dimensions = new Dimensions(type.GetArrayRank());
        reader.ReadArrayHeader(dimensions._lengths.Length * 2);
        for (int d = 0; d < dimensions._lengths.Length; d++)
        {
            dimensions._lengths[d] = reader.ReadInt32(0, int.MaxValue);
            dimensions._bounds[d] = reader.ReadInt32();
            if ((long)dimensions._lengths[d] + dimensions._bounds[d] > int.MaxValue)
                throw MessagePackReader.Malformed("the bounds of an array are out of range");
        }
        return dimensions;
    }

    /// <summary>The number of elements; −1 if it is more than any array has.</summary>
    internal int Count
    {
        get
        {
            long product = 1;
            foreach (int length in _lengths)
            {
                if (length == 0)
                    return 0;
                product = product > int.MaxValue ? product : product * length;
            }
            return product > int.MaxValue ? -1 : (int)product;
        }
    }

    internal Array Create(Type element) => Array.CreateInstance(element, _lengths, _bounds);

    internal int[] First() => (int[])_bounds.Clone();

    /// <summary>The next element's indexes, the last dimension running fastest, as enumeration does.</summary>
    internal void Advance(int[] indexes)
    {
        for (int d = indexes.Length - 1; d >= 0; d--)
        {
            if (++indexes[d] < _bounds[d] + _lengths[d])
                return;
            indexes[d] = _bounds[d];
        }
    }
}
