using System.Runtime.InteropServices;

namespace StartMethods.ProcessTests.Spawning;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public class SpawnStopTests : IsolatedProcessTest
{
    // Says that it is ready, so that no signal comes before its trap is set.
    private static async Task<SpawnedProcess> Ready(string script)
    {
        SpawnedProcess process = SpawnedProcess.Start(new SpawnInfo("/bin/sh", "-c", script) { StandardOutput = SpawnStdio.Pipe, StopGrace = TimeSpan.FromMilliseconds(200) });
        Assert.That(await process.StandardOutput!.ReadAsync(new byte[100], Limit), Is.Positive);
        return process;
    }

    [Test]
    public async Task Stopping_says_which_step_worked()
    {
        await using SpawnedProcess polite = await Ready("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
        Assert.That(await polite.StopAsync(TimeSpan.FromSeconds(10), Limit), Is.EqualTo(StopOutcome.Terminated));
        Assert.That(polite.ExitStatus.ToString(), Is.EqualTo("exit 5"));
        Assert.That(await polite.StopAsync(TimeSpan.FromSeconds(10), Limit), Is.EqualTo(StopOutcome.AlreadyExited));

        await using SpawnedProcess stubborn = await Ready("trap '' TERM; echo ready; while :; do sleep 0.01; done");
        Assert.That(await stubborn.StopAsync(TimeSpan.FromMilliseconds(100), Limit), Is.EqualTo(StopOutcome.Killed));
        Assert.That(stubborn.ExitStatus.ToString(), Is.EqualTo("killed by SIGKILL"));
    }

    [Test]
    public async Task A_stopped_program_is_killed_all_the_same()
    {
        await using SpawnedProcess process = SpawnedProcess.Start("sleep", "30");
        process.Signal((PosixSignal)19);
        await Eventually(() => File.ReadAllText($"/proc/{process.Id}/stat").Contains(") T "), "it is stopped");
        Assert.That(await process.StopAsync(TimeSpan.FromMilliseconds(50), Limit), Is.EqualTo(StopOutcome.Killed));
    }

    [Test]
    public async Task Disposing_ends_the_program()
    {
        SpawnedProcess process = await Ready("trap '' TERM; echo ready; while :; do sleep 0.01; done");
        await process.DisposeAsync();
        await process.DisposeAsync();
        Assert.That(process.ExitStatus.ToString(), Is.EqualTo("killed by SIGKILL"));
    }

    [Test]
    public async Task A_tree_is_killed_to_its_last_leaf()
    {
        await using SpawnedProcess root = await Ready("(sh -c 'sleep 78 & (sleep 78; :) & wait' & wait) & sleep 0.2; echo ready; wait");
        root.KillTree();
        Assert.That((await root.WaitForExitAsync(Limit)).ToString(), Is.EqualTo("killed by SIGKILL"));
        await Eventually(() => SpawnedProcess.RunAsync("pgrep", ["-f", "^sleep 78$"]).Result.Text.Length == 0, "the leaves are gone");
    }

    [Test]
    public async Task Waiting_can_be_cancelled_timed_and_repeated()
    {
        await using SpawnedProcess process = SpawnedProcess.Start("sleep", "30");
        using (CancellationTokenSource soon = new(30))
            await Assert.CatchAsync<OperationCanceledException>(async () => await process.WaitForExitAsync(soon.Token));
        Assert.That(process.WaitForExit(TimeSpan.Zero), Is.False);
        Assert.That(process.WaitForExit(TimeSpan.FromMilliseconds(30)), Is.False);
        process.Kill();
        Assert.That(process.WaitForExit(TimeSpan.FromSeconds(10)), Is.True);
        Assert.That(process.WaitForExit().ToString(), Is.EqualTo("killed by SIGKILL"));
        Assert.That((await process.WaitForExitAsync(Limit)).SignalNumber, Is.EqualTo(9));
    }

    [Test]
    public async Task Signals_after_the_end_go_nowhere()
    {
        // The id is free again as soon as the program was reaped: a signal by id could hit a stranger.
        for (int i = 0; i < 100; i++)
        {
            SpawnedProcess process = SpawnedProcess.Start("true");
            Task race = Task.Run(() => { for (int n = 0; n < 20; n++) process.Signal(PosixSignal.SIGCONT); });
            await process.WaitForExitAsync(Limit);
            process.Kill();
            await race;
            Assert.That(process.ExitStatus.ToString(), Is.EqualTo("exit 0"));
            await process.DisposeAsync();
        }
    }

    [Test]
    public async Task A_program_whose_object_is_dropped_is_reaped()
    {
        int before = Surroundings.Children().Count; // the fork server of the default method
        for (int i = 0; i < 50; i++)
            _ = SpawnedProcess.Start("true");
        await Eventually(() => Surroundings.Children().Count == before, "no zombie is left");
    }

    [Test]
    public void Waiting_for_a_program_that_was_reaped_meanwhile_throws_nothing_inside()
    {
        SpawnedProcess process = SpawnedProcess.Start("/bin/true");
        Assert.That(process.Lifetime.Exited.Wait(TimeSpan.FromSeconds(20)), Is.True);
        int thrown = 0, here = Environment.CurrentManagedThreadId;
        void Count(object? sender, System.Runtime.ExceptionServices.FirstChanceExceptionEventArgs e) => thrown += Environment.CurrentManagedThreadId == here ? 1 : 0;
        AppDomain.CurrentDomain.FirstChanceException += Count;
        try
        {
            Assert.That(process.WaitForExit().ToString(), Is.EqualTo("exit 0"));
        }
        finally
        {
            AppDomain.CurrentDomain.FirstChanceException -= Count;
        }
        Assert.That(thrown, Is.Zero);
    }

    [Test]
    public async Task Blocked_timed_and_asynchronous_waits_beside_each_other_all_see_the_end()
    {
        for (int i = 0; i < 50; i++)
        {
            // Ends before, at and after the tick from which on the reactor watches it.
            SpawnedProcess process = SpawnedProcess.Start("/bin/sleep", $"0.{i:000}");
            Task<ExitStatus> blocked = Task.Factory.StartNew(process.WaitForExit, TaskCreationOptions.LongRunning);
            Task timed = Task.Factory.StartNew(() =>
            {
                while (!process.WaitForExit(TimeSpan.FromMilliseconds(3)))
                    Limit.ThrowIfCancellationRequested();
            }, TaskCreationOptions.LongRunning);
            ExitStatus status = await process.WaitForExitAsync(Limit);
            await timed.WaitAsync(Limit);
            Assert.That((await blocked.WaitAsync(Limit), status.ToString()), Is.EqualTo((status, "exit 0")));
        }
    }
}
