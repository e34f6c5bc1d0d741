namespace StartMethods.Payloads;

/// <summary>A delegate inside a graph: its function and the object that it is bound to.</summary>
internal sealed class DelegateContent(Type type) : Content(type)
{
    internal override bool ExistsEarly => false;

    internal override void Write(GraphWriter writer, object value, int id)
    {
        if (writer.IsResult)
            throw Refusals.Refuse(Type, "Code never comes back from a child. Return the data and call the function in the parent.");
        var body = (Delegate)value;
        Function function = Function.Of(body);
        writer.Path?.EnterFunction(function);
        writer.WriteArrayHeader(2);
        writer.WriteFunction(function);
        // Put off, because a closure may hold the very delegate that is bound to it (a recursive lambda).
        writer.WriteTarget(body.Target, function.TargetSlot, function.Usage, defer: true);
        writer.Path?.Leave();
    }

    internal override object Read(GraphReader reader, int id)
    {
        if (reader.IsResult)
            throw MessagePackReader.Malformed("it holds code, which may not come back from a child");
        reader.ReadArrayHeader(2);
        Function function = reader.ReadFunction();
        object? target = reader.ReadReference(function.TargetSlot);
        return function.Bind(Type, target);
    }
}
