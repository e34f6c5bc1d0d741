namespace StartMethods.Payloads;

internal sealed partial class GraphWriter
{
    private Dictionary<Function, int>? _ownFunctions;

    internal void WriteFunction(Function function)
    {
        Dictionary<Function, int> functions = _session?.WrittenFunctions ?? (_ownFunctions ??= new Dictionary<Function, int>(ReferenceEqualityComparer.Instance));
        if (functions.TryGetValue(function, out int number))
        {
            WriteExtension(WireFormat.FunctionNumber, number);
            return;
        }
        WriteExtension(WireFormat.FunctionDefinition, function.Definition);
        functions.Add(function, functions.Count);
    }
}
