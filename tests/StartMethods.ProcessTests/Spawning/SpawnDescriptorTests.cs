using System.IO.Pipes;
using Microsoft.Win32.SafeHandles;

namespace StartMethods.ProcessTests.Spawning;

public class SpawnDescriptorTests : IsolatedProcessTest
{
    private static string NewFile() => Path.Combine(Path.GetTempPath(), $"sm-spawn-{Guid.NewGuid():N}");

    private static Task<SpawnOutput> Bash(string script, Action<SpawnInfo>? set = null)
    {
        SpawnInfo info = new("/bin/bash", "-c", script) { StandardInput = SpawnStdio.Null };
        set?.Invoke(info);
        return SpawnedProcess.RunAsync(info, cancellationToken: Limit);
    }

    [Test]
    public async Task Exactly_the_listed_descriptors_arrive()
    {
        using SafeFileHandle a = File.OpenHandle("/etc/passwd"), b = File.OpenHandle("/etc/group");
        SpawnOutput output = await Bash("for f in /proc/self/fd/*; do echo -n \"${f##*/} \"; done", info => info.InheritedHandles.Add((a, 9)));
        Assert.That(output.Text, Is.EqualTo("0 1 2 9 255 ").Or.EqualTo("0 1 2 9 ").Or.EqualTo("0 1 2 3 9 "), output.Error); // 3 or 255: the shell's own
    }

    [Test]
    public async Task Handles_can_be_swapped()
    {
        string first = NewFile(), second = NewFile();
        try
        {
            await File.WriteAllTextAsync(first, "first ", Limit);
            await File.WriteAllTextAsync(second, "second ", Limit);
            using SafeFileHandle a = File.OpenHandle(first), b = File.OpenHandle(second);
            int numberOfA = (int)a.DangerousGetHandle(), numberOfB = (int)b.DangerousGetHandle();
            SpawnOutput output = await Bash($"cat <&{numberOfA} <&{numberOfA}; cat <&{numberOfB}", info =>
            {
                info.InheritedHandles.Add((a, numberOfB));
                info.InheritedHandles.Add((b, numberOfA));
            });
            Assert.That(output.Text, Is.EqualTo("second first "));
        }
        finally
        {
            File.Delete(first);
            File.Delete(second);
        }
    }

    [Test]
    public async Task Files_are_read_written_and_appended_to()
    {
        string file = NewFile(), copy = NewFile();
        try
        {
            await File.WriteAllTextAsync(file, "line\n", Limit);
            await Bash("cat", info => (info.StandardInput, info.StandardOutput) = (SpawnStdio.ReadFrom(file), SpawnStdio.WriteTo(copy)));
            await Bash("echo more", info => info.StandardOutput = SpawnStdio.AppendTo(copy));
            Assert.That(await File.ReadAllTextAsync(copy, Limit), Is.EqualTo("line\nmore\n"));
        }
        finally
        {
            File.Delete(file);
            File.Delete(copy);
        }
    }

    [Test]
    public async Task Standard_error_merges_into_the_output_in_order()
    {
        SpawnOutput output = await Bash("echo 1; echo 2 >&2; echo 3", info => info.StandardError = SpawnStdio.MergeIntoOutput);
        Assert.That((output.Text, output.Error), Is.EqualTo(("1\n2\n3\n", "")));
    }

    [Test]
    public async Task One_handle_can_be_two_descriptors_and_stays_open_here()
    {
        string file = NewFile();
        try
        {
            using SafeFileHandle handle = File.OpenHandle(file, FileMode.Create, FileAccess.ReadWrite);
            await Bash("echo a; echo b >&2", info => info.StandardOutput = info.StandardError = SpawnStdio.FromHandle(handle));
            Assert.That(RandomAccess.GetLength(handle), Is.EqualTo(4));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public async Task A_pipe_carries_data_both_ways_and_ends()
    {
        await using SpawnedProcess cat = SpawnedProcess.Start(new SpawnInfo("cat") { StandardInput = SpawnStdio.Pipe, StandardOutput = SpawnStdio.Pipe });
        byte[] buffer = new byte[16];
        await cat.StandardInput!.WriteAsync("ping"u8.ToArray(), Limit);
        int count = await cat.StandardOutput!.ReadAsync(buffer, Limit);
        Assert.That(buffer.AsSpan(0, count).SequenceEqual("ping"u8), Is.True);
        await cat.StandardInput!.DisposeAsync();
        Assert.That(await cat.StandardOutput.ReadAsync(buffer, Limit), Is.Zero);
        Assert.That((await cat.WaitForExitAsync(Limit)).Success, Is.True);
    }

    [Test]
    public async Task A_waiting_read_returns_when_it_is_cancelled_and_loses_nothing()
    {
        await using SpawnedProcess cat = SpawnedProcess.Start(new SpawnInfo("cat") { StandardInput = SpawnStdio.Pipe, StandardOutput = SpawnStdio.Pipe });
        byte[] buffer = new byte[16];
        using (CancellationTokenSource soon = new(50))
            await Assert.CatchAsync<OperationCanceledException>(async () => _ = await cat.StandardOutput!.ReadAsync(buffer, soon.Token));
        await cat.StandardInput!.WriteAsync("late"u8.ToArray(), Limit);
        Assert.That(await cat.StandardOutput!.ReadAsync(buffer, Limit), Is.EqualTo(4));
    }

    [Test]
    public async Task A_waiting_read_ends_when_the_stream_is_disposed()
    {
        await using SpawnedProcess cat = SpawnedProcess.Start(new SpawnInfo("cat") { StandardInput = SpawnStdio.Pipe, StandardOutput = SpawnStdio.Pipe });
        Task<int> read = cat.StandardOutput!.ReadAsync(new byte[16], Limit).AsTask();
        await cat.StandardOutput.DisposeAsync();
        await Assert.CatchAsync<ObjectDisposedException>(async () => await read);
    }

    [Test]
    public async Task Writing_to_a_program_that_has_ended_is_an_IOException()
    {
        await using SpawnedProcess process = SpawnedProcess.Start(new SpawnInfo("true") { StandardInput = SpawnStdio.Pipe });
        await process.WaitForExitAsync(Limit);
        await Assert.CatchAsync<IOException>(async () => await process.StandardInput!.WriteAsync("x"u8.ToArray(), Limit));
    }

    [Test]
    public async Task No_pipe_end_leaks_into_a_sibling()
    {
        // Were the writing end of the first program's input open in one of the others, it would never see the end of it.
        SpawnedProcess first = SpawnedProcess.Start(new SpawnInfo("cat") { StandardInput = SpawnStdio.Pipe, StandardOutput = SpawnStdio.Null });
        SpawnedProcess[] others = [.. Enumerable.Range(0, 20).AsParallel().Select(_ => SpawnedProcess.Start("sleep", "20"))];
        await first.StandardInput!.DisposeAsync();
        Assert.That((await first.WaitForExitAsync(Limit)).Success, Is.True);
        foreach (SpawnedProcess other in others)
        {
            other.Kill();
            await other.DisposeAsync();
        }
        await first.DisposeAsync();
    }

    [Test]
    public void What_cannot_be_connected_is_refused_before_the_start()
    {
        using SafeFileHandle handle = File.OpenHandle("/dev/null");
        SafeFileHandle closed = File.OpenHandle("/dev/null");
        closed.Dispose();
        Assert.Multiple(() =>
        {
            Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { InheritedHandles = { (handle, 5), (handle, 5) } }));
            Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { InheritedHandles = { (closed, 5) } }));
            Assert.Throws<ArgumentOutOfRangeException>(() => SpawnedProcess.Start(new SpawnInfo("true") { InheritedHandles = { (handle, -1) } }));
            Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { StandardOutput = SpawnStdio.Null, InheritedHandles = { (handle, 1) } }));
            Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { StandardOutput = SpawnStdio.MergeIntoOutput }));
            Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { StandardOutput = SpawnStdio.ReadFrom("/dev/null") }));
        });
        SpawnException e = Assert.Throws<SpawnException>(() => SpawnedProcess.Start(new SpawnInfo("true") { StandardInput = SpawnStdio.ReadFrom("/nope") }))!;
        Assert.That(e.Message, Is.EqualTo("open standard input /nope: ENOENT (No such file or directory)"));
    }

    [Test]
    public async Task A_descriptor_that_a_library_left_inheritable_is_closed_in_the_program()
    {
        using AnonymousPipeServerStream pipe = new(PipeDirection.Out, HandleInheritability.Inheritable);
        SpawnOutput output = await Bash($"[ -e /proc/self/fd/{pipe.ClientSafePipeHandle.DangerousGetHandle()} ] && [ -p /proc/self/fd/{pipe.ClientSafePipeHandle.DangerousGetHandle()} ] && echo leaked; exit 0");
        Assert.That(output.Text, Is.Empty);
    }
}
