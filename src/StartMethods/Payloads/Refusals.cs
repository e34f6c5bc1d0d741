namespace StartMethods.Payloads;

/// <summary>What cannot travel, and what to do instead. By name, so that no assembly is loaded to ask.</summary>
internal static class Refusals
{
    internal static PayloadException Refuse(Type type, string reason) => new($"A {TypeText.Short(type)} cannot travel to another process. {reason}");

    /// <summary>Why instances of this type cannot travel; null if nothing speaks against it.</summary>
    internal static string? ReasonFor(Type type)
    {
        for (Type? level = type; level is not null && level != typeof(object) && level != typeof(ValueType); level = level.BaseType)
        {
            if (Known(level.IsGenericType ? level.GetGenericTypeDefinition().FullName : level.FullName) is { } reason)
                return reason;
        }
        foreach (Type contract in type.GetInterfaces())
        {
            if (KnownInterface(contract.FullName) is { } reason)
                return reason;
        }
        if (type.IsValueType && FrameworkTypes.Contains(type) && !IsPlainFrameworkStructure(type))
            return "It is a structure of the framework whose content has a meaning only where it was made. Send what you need from it.";
        return null;
    }

    /// <summary>Why a class of the framework that has no rule of its own cannot travel.</summary>
    internal static string ReasonForFrameworkClass(Type type)
    {
        if (type.Namespace?.StartsWith("System.Linq", StringComparison.Ordinal) == true)
            return "A query holds the code that computes it. Call ToArray() or ToList() on it first.";
        return "It is a class of the framework whose inner state has a meaning only in the process that made it. "
            + "Capture the values that you need from it, or create it in the body; a field marked [NonSerialized] is left out.";
    }

    private static string? Known(string? name) => name switch
    {
        "System.IntPtr" or "System.UIntPtr" => "Addresses mean nothing in another process. Send the data itself; if it is a number, declare it as long.",
        "System.Threading.Thread" => "A thread belongs to its process. Start one in the body.",
        "System.Threading.Tasks.Task" or "System.Threading.Tasks.ValueTask" or "System.Threading.Tasks.ValueTask`1" or "System.Threading.Tasks.TaskCompletionSource" or "System.Threading.Tasks.TaskCompletionSource`1"
            => "A task runs in the process that started it. Await it first and send its result.",
        "System.Threading.CancellationTokenSource" => "Give the body a CancellationToken parameter: it is cancelled in the child when the token given to the call is.",
        "System.Threading.Timer" or "System.Timers.Timer" or "System.Threading.PeriodicTimer" => "A timer belongs to its process. Create it in the body.",
        "System.Threading.SemaphoreSlim" or "System.Threading.ReaderWriterLockSlim" or "System.Threading.ManualResetEventSlim" or "System.Threading.Barrier"
            or "System.Threading.CountdownEvent" or "System.Threading.WaitHandle" or "System.Threading.ReaderWriterLock" or "System.Threading.SpinLock"
            => "It synchronises threads of one process and would guard nothing across two. Create it in the body, or mark the field [NonSerialized].",
        "System.Threading.ThreadLocal`1" or "System.Threading.AsyncLocal`1" or "System.Threading.ExecutionContext" or "System.Threading.SynchronizationContext" or "System.Threading.Tasks.TaskScheduler"
            => "It belongs to the threads of its process. Send the current value instead.",
        "System.Net.Http.HttpMessageInvoker" or "System.Net.Http.HttpMessageHandler" => "Its connections belong to its process. Send the address and create the client in the body.",
        "System.Diagnostics.Process" => "Send its process id.",
        "System.WeakReference" or "System.WeakReference`1" or "System.Runtime.InteropServices.GCHandle" or "System.Runtime.DependentHandle" or "System.Runtime.CompilerServices.ConditionalWeakTable`2"
            => "It refers to objects without holding them. Send the target itself.",
        "System.IO.TextReader" or "System.IO.TextWriter" => "Send the text or the path, and open it in the body.",
        "System.IO.Stream" => "Streams that travel are FileStream, anonymous pipe streams, NetworkStream and MemoryStream. Send the path or the bytes, or open it in the body.",
        "System.Reflection.Assembly" or "System.Reflection.Module" or "System.Reflection.MemberInfo" => "Send a Type, or a delegate of the method.",
        _ => null,
    };

    private static string? KnownInterface(string? name) => name switch
    {
        "Microsoft.Extensions.Logging.ILogger" or "Microsoft.Extensions.Logging.ILoggerFactory" => "A logger's sinks belong to its process. Create one in the body, or mark the field [NonSerialized].",
        "System.IServiceProvider" => "The services of a container belong to its process. Send the values that the body needs.",
        "System.Data.IDbConnection" or "System.Data.IDbTransaction" => "A connection belongs to its process. Send the connection string and open it in the body.",
        _ => null,
    };

    // Structures that only hold numbers are what they look like. Others may reinterpret what they refer to, so those are listed.
    private static bool IsPlainFrameworkStructure(Type type)
    {
        if (type.FullName is { } name && (name.StartsWith("System.ValueTuple", StringComparison.Ordinal) || name.StartsWith("System.Collections.Generic.KeyValuePair`2", StringComparison.Ordinal) || name is "System.Drawing.Color" or "System.Random+CompatPrng"))
            return true;
        if (type.Name.Contains("Handle", StringComparison.Ordinal) || type.IsByRefLike)
            return false;
        return OnlyNumbers(type);
    }

    private static bool OnlyNumbers(Type type) => Array.TrueForAll(FieldsPlan.FieldsOf(type), static field =>
        field.FieldType.IsEnum
        || (field.FieldType.IsPrimitive ? field.FieldType != typeof(nint) && field.FieldType != typeof(nuint) : field.FieldType.IsValueType && !field.FieldType.IsByRefLike && OnlyNumbers(field.FieldType)));
}
