using System.ComponentModel;
using System.Reflection;
using System.Runtime.ExceptionServices;

namespace StartMethods.Payloads;

/// <summary>An exception as text, and how it becomes one again.</summary>
internal sealed class FailureText
{
    private const int TypeDefinitionTable = 0x02;

    internal required string TypeName { get; init; }
    internal required string? AssemblyName { get; init; }
    internal required int Token { get; init; }
    internal required string Message { get; init; }
    internal required string? StackTrace { get; init; }
    internal required int HResult { get; init; }
    internal required int Code { get; init; }
    internal List<object?> Data { get; } = []; // key, value, key, value …
    internal List<Exception> Inner { get; } = [];

    internal Exception Rebuild()
    {
        Exception exception = TryCreate() ?? new ChildFailedException(Message, Inner.Count > 0 ? Inner[0] : null) { RemoteType = TypeName, RemoteStackTrace = StackTrace };
        exception.HResult = HResult;
        try
        {
            for (int i = 0; i < Data.Count; i += 2)
                exception.Data[Data[i]!] = Data[i + 1];
            if (!string.IsNullOrEmpty(StackTrace))
                ExceptionDispatchInfo.SetRemoteStackTrace(exception, StackTrace);
        }
        catch (Exception e)
        {
            // A type with a Data of its own that throws, or a constructor that threw itself: keep the text.
            return new ChildFailedException(Message, e) { RemoteType = TypeName, RemoteStackTrace = StackTrace };
        }
        return exception;
    }

    // As its own type only where that is loaded already, is an exception, and can be made from a message (and a cause).
    private Exception? TryCreate()
    {
        if (FindLoaded() is not { IsAbstract: false, ContainsGenericParameters: false } type || !typeof(Exception).IsAssignableFrom(type))
            return null;
        Exception? cause = Inner.Count > 0 ? Inner[0] : null;
        try
        {
            if (type == typeof(AggregateException))
                return new AggregateException(WithoutSuffix(), Inner);
            if (type == typeof(ChildFailedException))
                return null;
            if (Code != 0 && typeof(Win32Exception).IsAssignableFrom(type) && cause is null && FindConstructor(type, typeof(int), typeof(string)) is { } coded)
                return (Exception)coded.Invoke([Code, Message]);
            if (FindConstructor(type, typeof(string), typeof(Exception)) is { } full)
                return (Exception)full.Invoke([Message, cause]);
            return cause is null && FindConstructor(type, typeof(string)) is { } simple ? (Exception)simple.Invoke([Message]) : null;
        }
        catch (TargetInvocationException)
        {
            return null; // the constructor refuses the message: its text is what we have
        }
    }

    private static ConstructorInfo? FindConstructor(Type type, params Type[] parameters) =>
        type.GetConstructor(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, parameters);

    // AggregateException appends the messages of its causes to its own.
    private string WithoutSuffix()
    {
        string suffix = string.Concat(Inner.ConvertAll(static inner => $" ({inner.Message})"));
        return Message.EndsWith(suffix, StringComparison.Ordinal) ? Message[..^suffix.Length] : Message;
    }

    // Searches what is loaded; nothing is ever loaded because a payload names it. The token spares a search by name, which would follow
    // type forwards into other assemblies.
    private Type? FindLoaded()
    {
        if (AssemblyName is null || Token >>> 24 != TypeDefinitionTable || (Token & 0xFFFFFF) == 0)
            return null;
        foreach (Assembly assembly in AppDomain.CurrentDomain.GetAssemblies())
        {
            if (assembly.IsDynamic || !FrameworkTypes.IsNamed(assembly, AssemblyName))
                continue;
            try
            {
                Type type = assembly.ManifestModule.ResolveType(Token);
                if (type.FullName == TypeName)
                    return type;
            }
            catch (Exception e) when (e is ArgumentException or TypeLoadException or BadImageFormatException or FileNotFoundException)
            {
                continue; // another build of the assembly: no such type there
            }
        }
        return null;
    }
}

/// <summary>An exception inside a graph, in either direction, under the same rules.</summary>
internal sealed class ExceptionContent(Type type) : Content(type)
{
    internal override bool ExistsEarly => false;

    // What is rebuilt may be another type: the reader checks it against what is declared.
    internal override Type WireType(Type declared) => typeof(Exception).IsAssignableFrom(declared) ? declared : typeof(Exception);

    internal override void Write(GraphWriter writer, object value, int id) => FailureCodec.Write(writer, (Exception)value, 0);

    internal override object Read(GraphReader reader, int id)
    {
        Exception exception = FailureCodec.Read(reader, 0);
        return Type.IsInstanceOfType(exception) ? exception : throw MessagePackReader.Malformed($"an exception of another type stands where a {TypeText.Short(Type)} is declared");
    }
}
