namespace StartMethods.Payloads;

/// <summary>The items of something that is known only as an interface.</summary>
internal abstract class Sequences
{
    internal static object ToArray(object items, Type element) => ((Sequences)Activator.CreateInstance(typeof(Of<>).MakeGenericType(element))!).ToArray(items);

    private protected abstract object ToArray(object items);

    private sealed class Of<T> : Sequences
    {
        private protected override object ToArray(object items) => (T[])[.. (IEnumerable<T>)items];
    }
}
