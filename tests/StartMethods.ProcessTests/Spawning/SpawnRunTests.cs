using System.Diagnostics;
using System.Text;

namespace StartMethods.ProcessTests.Spawning;

public class SpawnRunTests : IsolatedProcessTest
{
    private static Task<SpawnOutput> Shell(string script, SpawnRunOptions? options = null, CancellationToken? token = null) =>
        SpawnedProcess.RunAsync("/bin/sh", ["-c", script], options, token ?? Limit);

    [Test]
    public async Task Output_error_and_status_are_collected()
    {
        SpawnOutput output = await Shell("echo out; echo err >&2; exit 3");
        Assert.That((output.Text, output.Error, output.ExitStatus.ToString()), Is.EqualTo(("out\n", "err\n", "exit 3")));
        Assert.That((output.OutputTruncated, output.ErrorTruncated, output.OutputIncomplete), Is.EqualTo((false, false, false)));
        Assert.That(output.Usage, Is.Not.Null);
    }

    [Test]
    public async Task Full_pipes_in_all_directions_do_not_deadlock()
    {
        byte[] input = new byte[3_000_000];
        Random.Shared.NextBytes(input);
        SpawnOutput output = await Shell("tee /dev/stderr", new SpawnRunOptions { Input = input });
        Assert.That(output.OutputBytes.Span.SequenceEqual(input) && output.ErrorBytes.Span.SequenceEqual(input), Is.True);
    }

    [Test]
    public async Task A_program_that_does_not_read_its_input_does_not_fail_the_run()
    {
        SpawnOutput output = await Shell("echo done", new SpawnRunOptions { Input = new byte[1_000_000] });
        Assert.That((output.Text, output.ExitStatus.Success), Is.EqualTo(("done\n", true)));
    }

    [Test]
    public async Task Text_goes_in_and_comes_out() =>
        Assert.That((await Shell("tr a-z A-Z", new SpawnRunOptions { InputText = "grüße" })).Text, Is.EqualTo("GRüßE"));

    [Test]
    public async Task A_flood_is_cut_at_the_limit_and_the_program_goes_on()
    {
        SpawnOutput output = await Shell("head -c 5000000 /dev/zero; echo end >&2", new SpawnRunOptions { OutputLimit = 1000 });
        Assert.That((output.OutputBytes.Length, output.OutputTruncated, output.Error, output.ErrorTruncated), Is.EqualTo((1000, true, "end\n", false)));
        output = await Shell("head -c 1000 /dev/zero", new SpawnRunOptions { OutputLimit = 1000 });
        Assert.That((output.OutputBytes.Length, output.OutputTruncated), Is.EqualTo((1000, false)));
    }

    [Test]
    public async Task A_grandchild_that_keeps_the_pipe_does_not_hold_up_the_run()
    {
        Stopwatch time = Stopwatch.StartNew();
        SpawnOutput output = await Shell("head -c 60000 /dev/zero; sleep 20 & echo $! >&2; exit 7", new SpawnRunOptions { DrainGrace = TimeSpan.FromMilliseconds(100) });
        Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)));
        Assert.That((output.ExitStatus.ToString(), output.OutputBytes.Length, output.OutputIncomplete), Is.EqualTo(("exit 7", 60000, true)));
        await SpawnedProcess.RunAsync("kill", [output.Error.Trim()], cancellationToken: Limit);
    }

    [Test]
    public async Task A_timeout_kills_the_whole_tree_and_keeps_what_was_written()
    {
        SpawnTimeoutException e = (await Assert.CatchAsync<SpawnTimeoutException>(async () =>
            await Shell("echo partial; (sleep 77 & sleep 77 & wait) & wait", new SpawnRunOptions { Timeout = TimeSpan.FromMilliseconds(300) })))!;
        Assert.That((e.Output.Text, e.Output.ExitStatus.ToString(), e.Output.OutputIncomplete), Is.EqualTo(("partial\n", "killed by SIGKILL", false)));
        SpawnOutput left = await SpawnedProcess.RunAsync("pgrep", ["-f", "^sleep 77$"], cancellationToken: Limit);
        Assert.That(left.Text, Is.Empty);
    }

    [Test]
    public async Task Cancelling_kills_the_program()
    {
        using CancellationTokenSource cancel = new(200);
        Stopwatch time = Stopwatch.StartNew();
        await Assert.CatchAsync<OperationCanceledException>(async () => await Shell("sleep 30", token: cancel.Token));
        Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)));
        await Assert.CatchAsync<OperationCanceledException>(async () => await Shell("exit 0", token: cancel.Token));
    }

    [Test]
    public async Task A_failure_is_thrown_where_success_was_asked_for()
    {
        ProgramFailedException e = (await Assert.CatchAsync<ProgramFailedException>(async () => await Shell("echo why >&2; exit 9", new SpawnRunOptions { Check = true })))!;
        Assert.That(e.Message, Is.EqualTo("/bin/sh: exit 9. It wrote to its standard error:\nwhy"));
        Assert.That(e.Output.ExitStatus.Code, Is.EqualTo(9));
    }

    [Test]
    public async Task Many_runs_at_once_keep_their_outputs_apart()
    {
        SpawnOutput[] outputs = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Shell($"echo {i}; echo {i} >&2; exit {i}")));
        Assert.That(outputs.Select((o, i) => o.Text == $"{i}\n" && o.Error == $"{i}\n" && o.ExitStatus.Code == i), Is.All.True);
    }

    [Test]
    public async Task Bytes_that_are_no_text_stay_bytes()
    {
        SpawnOutput output = await Shell("printf '\\377\\000\\001'");
        Assert.That(output.OutputBytes.ToArray(), Is.EqualTo(new byte[] { 255, 0, 1 }));
        Assert.That(output.Text, Is.EqualTo("\ufffd\0\u0001"));
        Assert.That(Encoding.UTF8.GetString(output.OutputBytes.Span), Is.EqualTo(output.Text));
    }
}
