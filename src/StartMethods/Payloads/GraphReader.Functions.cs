namespace StartMethods.Payloads;

internal sealed partial class GraphReader
{
    private List<Function>? _ownFunctions;

    internal Function ReadFunction()
    {
        List<Function> functions = Session?.ReadFunctions ?? (_ownFunctions ??= []);
        if (IsExtension(WireFormat.FunctionNumber))
        {
            int number = ReadExtensionNumber(WireFormat.FunctionNumber);
            return number < functions.Count ? functions[number] : throw Malformed($"function {number} is not defined");
        }
        Function function = Function.Read(ReadExtension(WireFormat.FunctionDefinition));
        functions.Add(function);
        return function;
    }
}
