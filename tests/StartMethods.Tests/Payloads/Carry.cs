using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StartMethods.Payloads;

namespace StartMethods.Tests;

/// <summary>Sends things through their codecs as a channel would: bytes copied, descriptors duplicated, large buffers copied.</summary>
internal static partial class Carry
{
    internal static ReceivedPayload Across(EncodedPayload payload)
    {
        using (payload)
        {
            return new ReceivedPayload(payload.Bytes.ToArray(), [.. payload.Handles.Select(Duplicate)], [.. payload.Buffers.Select(buffer => (Memory<byte>)buffer.ToArray())]);
        }
    }

    internal static Job Job(Delegate body, object? argument = null, bool hasArgument = false, IPayloadSerializer? serializer = null) =>
        JobCodec.Decode(Across(JobCodec.Encode(body, argument, hasArgument, serializer)));

    /// <summary>Runs a body as a child would, and brings its result back.</summary>
    internal static T Run<T>(Func<T> body) => (T)Run((Delegate)body)!;

    internal static void Run(Action body) => Run((Delegate)body);

    internal static object? Run(Delegate body)
    {
        Job job = Job(body);
        object? result = job.InvokeAsync(default).GetAwaiter().GetResult();
        return ResultCodec.Decode(Across(ResultCodec.Encode(result, job.ResultType)), job.ResultType);
    }

    /// <summary>A value as an argument, parent to child.</summary>
    internal static T Argument<T>(T value) => (T)Job((Action<T>)(static _ => { }), value, hasArgument: true).Argument!;

    /// <summary>A value as a result, child to parent.</summary>
    internal static T Result<T>(T value) => (T)ResultCodec.Decode(Across(ResultCodec.Encode(value, typeof(T))), typeof(T))!;

    internal static Exception Failure(Exception exception) => FailureCodec.Decode(Across(FailureCodec.Encode(exception)));

    internal static PayloadException Refused<T>(T value) =>
        Assert.Throws<PayloadException>(() => JobCodec.Encode((Action<T>)(static _ => { }), value, hasArgument: true).Dispose())!;

    [LibraryImport("libc", EntryPoint = "dup")]
    private static partial int Dup(int descriptor);

    private static SafeHandle Duplicate(SafeHandle handle) => new SafeFileHandle(Dup((int)handle.DangerousGetHandle()), ownsHandle: true);
}
