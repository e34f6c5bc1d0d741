using System.IO.Pipes;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace StartMethods.Payloads;

/// <summary>
/// Handles of the operating system, and the classes around them that can be rebuilt from one. The child gets a duplicate (SCM_RIGHTS), the
/// parent's stays open.
/// </summary>
internal static class HandleContents
{
    internal static Content? Create(Type type) => type.FullName switch
    {
        "System.Net.Sockets.Socket" => Sockets(),
        "System.Net.Sockets.NetworkStream" => NetworkStreams(),
        "System.IO.FileStream" => new SpecialContent<FileStream>(WriteFile, ReadFile),
        "System.IO.Pipes.AnonymousPipeClientStream" => ClientPipes(),
        "System.IO.Pipes.AnonymousPipeServerStream" => ServerPipes(),
        _ when type.IsSubclassOf(typeof(SafeHandle)) => SafeHandles(type),
        _ => null,
    };

    private static SpecialContent<Socket> Sockets() => new(static (w, v) => w.WriteHandle(v.SafeHandle), static r => r.Own(new Socket(new SafeSocketHandle(r.TakeHandle(), true))));

    private static SpecialContent<NetworkStream> NetworkStreams() => new(static (w, v) => w.WriteHandle(v.Socket.SafeHandle),
        static r => r.Own(new NetworkStream(new Socket(new SafeSocketHandle(r.TakeHandle(), true)), ownsSocket: true)));

    private static void WriteFile(GraphWriter writer, FileStream file)
    {
        if (file.CanWrite)
            file.Flush(); // what is still in the buffer of this process would be written twice or never
        writer.WriteArrayHeader(3);
        writer.WriteInt32((file.CanRead ? 1 : 0) | (file.CanWrite ? 2 : 0));
        writer.WriteInt64(file.CanSeek ? file.Position : -1);
        writer.WriteHandle(file.SafeFileHandle);
    }

    private static FileStream ReadFile(GraphReader reader)
    {
        reader.ReadArrayHeader(3);
        var access = (FileAccess)reader.ReadInt32(1, 3);
        long position = reader.ReadInt64();
        SafeFileHandle handle = reader.Own(new SafeFileHandle(reader.TakeHandle(), true));
        FileStream file = reader.Own(new FileStream(handle, access));
        if (position >= 0 && file.CanSeek)
            file.Position = position;
        return file;
    }

    private static SpecialContent<AnonymousPipeClientStream> ClientPipes() => new(static (w, v) => WritePipe(w, v, v.SafePipeHandle),
        static r => ReadPipe(r, static (direction, handle) => new AnonymousPipeClientStream(direction, handle)));

    // In the child it is an end like any other: the server's privilege, making the other end, was used in the parent.
    private static SpecialContent<AnonymousPipeServerStream> ServerPipes() => new(static (w, v) => WritePipe(w, v, v.SafePipeHandle),
        static r => ReadPipe(r, static (direction, handle) => new AnonymousPipeServerStream(direction, handle, new SafePipeHandle(handle.DangerousGetHandle(), ownsHandle: false))));

    private static void WritePipe(GraphWriter writer, PipeStream pipe, SafePipeHandle handle)
    {
        writer.WriteArrayHeader(2);
        writer.WriteBoolean(pipe.CanRead);
        writer.WriteHandle(handle);
    }

    private static T ReadPipe<T>(GraphReader reader, Func<PipeDirection, SafePipeHandle, T> create) where T : PipeStream
    {
        reader.ReadArrayHeader(2);
        PipeDirection direction = reader.ReadBoolean() ? PipeDirection.In : PipeDirection.Out;
        return reader.Own(create(direction, new SafePipeHandle(reader.TakeHandle(), true)));
    }

    // Any handle may be called SafeHandle, and not every one is a descriptor: of the framework's only those that are, of others those that say so by a constructor.
    private static Content SafeHandles(Type type)
    {
        if (FrameworkTypes.Contains(type) && type.FullName is not ("Microsoft.Win32.SafeHandles.SafeFileHandle" or "Microsoft.Win32.SafeHandles.SafePipeHandle" or "System.Net.Sockets.SafeSocketHandle"))
            return new RefusedContent(type, "It is no file descriptor. Send what it was opened from, and open it in the body.");
        ConstructorInfo? constructor = type.GetConstructor(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, [typeof(nint), typeof(bool)])
            ?? type.GetConstructor(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, []);
        return constructor is null
            ? new RefusedContent(type, "It has neither a constructor (IntPtr, bool) nor one without parameters, so it cannot be made from a descriptor in the child.")
            : new SafeHandleContent(type, constructor);
    }
}

/// <summary>A handle by itself.</summary>
internal sealed class SafeHandleContent(Type type, ConstructorInfo constructor) : Content(type)
{
    private static readonly MethodInfo SetHandle = typeof(SafeHandle).GetMethod("SetHandle", BindingFlags.Instance | BindingFlags.NonPublic)!;

    internal override bool ExistsEarly => false;

    internal override void Write(GraphWriter writer, object value, int id)
    {
        var handle = (SafeHandle)value;
        if (!handle.IsInvalid && !handle.IsClosed && OperatingSystem.IsLinux() && !IsDescriptor(handle))
            throw Refusals.Refuse(Type, "Its value is no open file descriptor.");
        writer.WriteHandle(handle);
    }

    private static bool IsDescriptor(SafeHandle handle)
    {
        bool added = false;
        try
        {
            handle.DangerousAddRef(ref added);
            nint value = handle.DangerousGetHandle();
            return value is >= 0 and <= int.MaxValue && (File.Exists($"/proc/self/fd/{value}") || Directory.Exists($"/proc/self/fd/{value}") || new FileInfo($"/proc/self/fd/{value}").LinkTarget is not null);
        }
        finally
        {
            if (added)
                handle.DangerousRelease();
        }
    }

    internal override object Read(GraphReader reader, int id)
    {
        nint descriptor = reader.TakeHandle();
        if (constructor.GetParameters().Length == 2)
            return reader.Own((SafeHandle)constructor.Invoke([descriptor, true]));
        var handle = (SafeHandle)constructor.Invoke([]);
        SetHandle.Invoke(handle, [descriptor]);
        return reader.Own(handle);
    }
}
