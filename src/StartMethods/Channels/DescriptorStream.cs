using System.Runtime.InteropServices;
using StartMethods.Interop;

namespace StartMethods.Channels;

/// <summary>
/// One direction of a pipe, socket or terminal as a stream: non-blocking, driven by the reactor, so that a waiting read or write holds no thread
/// and ends at once when it is cancelled or the stream is disposed. One read or write at a time, as with every stream.
/// </summary>
/// <remarks>A terminal that is read and written needs two of these, on two descriptors (the reactor takes a descriptor once).</remarks>
internal sealed class DescriptorStream : Stream
{
    private const int Again = -11, BrokenPipe = -32, InputOutputError = -5;

    private readonly SafeHandle _descriptor;
    private readonly ReactorInterest _direction;
    private readonly bool _errorIsEnd;
    private readonly Lock _gate = new();
    private ReactorWatch? _watch;
    private TaskCompletionSource? _waiter;
    private bool _disposed;

    /// <summary>A stream over one direction of a descriptor.</summary>
    /// <param name="descriptor">Non-blocking; the stream owns it.</param>
    /// <param name="direction"><see cref="ReactorInterest.Read"/> or <see cref="ReactorInterest.Write"/>.</param>
    /// <param name="errorIsEnd">EIO is the end of the stream: so Linux reports that nobody has the other side of a terminal open.</param>
    internal DescriptorStream(SafeHandle descriptor, ReactorInterest direction, bool errorIsEnd = false) =>
        (_descriptor, _direction, _errorIsEnd) = (descriptor, direction, errorIsEnd);

    public override bool CanRead => !_disposed && _direction == ReactorInterest.Read;

    public override bool CanWrite => !_disposed && _direction == ReactorInterest.Write;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The descriptor, still owned by this stream.</summary>
    internal SafeHandle Descriptor => _descriptor;

    public override void Flush() { }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Reads what is there without waiting: the number of bytes, 0 at the end, −1 if nothing is there.</summary>
    internal int TryRead(Span<byte> buffer)
    {
        Require(ReactorInterest.Read);
        int count = Native.Read(_descriptor, buffer);
        return count switch
        {
            >= 0 => count,
            Again => -1,
            InputOutputError when _errorIsEnd => 0,
            _ => throw Failure(count, "read"),
        };
    }

    public override int Read(Span<byte> buffer)
    {
        int count;
        while ((count = TryRead(buffer)) < 0)
            ReadyAsync(CancellationToken.None).GetAwaiter().GetResult();
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int count;
        while ((count = TryRead(buffer.Span)) < 0)
            await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int count = TryWrite(buffer);
            if (count < 0)
                ReadyAsync(CancellationToken.None).GetAwaiter().GetResult();
            else
                buffer = buffer[count..];
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (!buffer.IsEmpty)
        {
            int count = TryWrite(buffer.Span);
            if (count < 0)
                await ReadyAsync(cancellationToken).ConfigureAwait(false);
            else
                buffer = buffer[count..];
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    protected override void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        ReactorWatch? watch;
        TaskCompletionSource? waiter;
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            (watch, _watch, waiter, _waiter) = (_watch, null, _waiter, null);
        }
        watch?.Dispose();
        waiter?.TrySetException(new ObjectDisposedException(nameof(Stream)));
        _descriptor.Dispose();
    }

    private int TryWrite(ReadOnlySpan<byte> buffer)
    {
        Require(ReactorInterest.Write);
        int count = Native.Write(_descriptor, buffer);
        return count >= 0 ? count : count == Again ? -1 : throw Failure(count, "write");
    }

    private void Require(ReactorInterest direction)
    {
        ObjectDisposedException.ThrowIf(_disposed, typeof(Stream));
        if (_direction != direction)
            throw new NotSupportedException($"This end of the pipe is for {(_direction == ReactorInterest.Read ? "reading" : "writing")} only.");
    }

    private async Task ReadyAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource waiter = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(Stream));
            _waiter = waiter;
            if (_watch is null)
                _watch = Reactor.Shared.Watch(_descriptor, OnReady, _direction | ReactorInterest.Once);
            else
                _watch.Rearm();
        }
        using CancellationTokenRegistration registration =
            cancellationToken.UnsafeRegister(static (state, token) => ((TaskCompletionSource)state!).TrySetCanceled(token), waiter);
        await waiter.Task.ConfigureAwait(false);
    }

    private void OnReady()
    {
        TaskCompletionSource? waiter;
        lock (_gate)
            (waiter, _waiter) = (_waiter, null);
        waiter?.TrySetResult();
    }

    private static IOException Failure(int result, string operation) =>
        new(result == BrokenPipe ? "The other side has closed its end of the pipe: EPIPE." : $"{operation} of a pipe: {NativeError.Describe(-result)}", -result);
}
