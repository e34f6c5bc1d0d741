using System.Runtime.InteropServices;

namespace StartMethods.ProcessTests.Spawning;

public class SpawnAttributeTests : IsolatedProcessTest
{
    private static async Task<string> Shell(string script, Action<SpawnInfo> set)
    {
        SpawnInfo info = new("/bin/sh", "-c", script) { StandardInput = SpawnStdio.Null };
        set(info);
        SpawnOutput output = await SpawnedProcess.RunAsync(info, cancellationToken: Limit);
        Assert.That(output.ExitStatus.Success, Is.True, $"{output.ExitStatus} {output.Error}");
        return output.Text.Trim();
    }

    [Test]
    public async Task A_program_can_lead_a_session_or_a_group()
    {
        const string Script = "read -r pid c s pp pgrp sid rest </proc/self/stat; echo $((pgrp == $$)) $((sid == $$))";
        Assert.That(await Shell(Script, info => info.NewSession = true), Is.EqualTo("1 1"));
        Assert.That(await Shell(Script, info => (info.NewSession, info.ProcessGroup) = (true, 0)), Is.EqualTo("1 1"));
        Assert.That(await Shell(Script, info => info.ProcessGroup = 0), Is.EqualTo("1 0"));
        Assert.That(await Shell(Script, _ => { }), Is.EqualTo("0 0"));
    }

    [Test]
    public async Task A_program_can_join_the_group_of_another()
    {
        await using SpawnedProcess leader = SpawnedProcess.Start(new SpawnInfo("sleep", "20") { ProcessGroup = 0 });
        await using SpawnedProcess member = SpawnedProcess.Start(new SpawnInfo("sleep", "20") { ProcessGroup = leader.Id });
        leader.SignalGroup(PosixSignal.SIGTERM);
        Assert.That((await leader.WaitForExitAsync(Limit)).ToString(), Is.EqualTo("killed by SIGTERM"));
        Assert.That((await member.WaitForExitAsync(Limit)).ToString(), Is.EqualTo("killed by SIGTERM"));
    }

    [Test]
    public async Task Signals_are_at_their_defaults_and_unblocked_unless_asked_otherwise()
    {
        const string Script = "grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\\t\\n'";
        // This host, as every .NET process, ignores SIGPIPE.
        Assert.That(await Shell(Script, _ => { }), Is.EqualTo("SigBlk:0000000000000000SigIgn:0000000000000000"));
        Assert.That(await Shell(Script, info => (info.SignalMask, info.SignalDefaults) = ([PosixSignal.SIGHUP], [])), Is.EqualTo("SigBlk:0000000000000001SigIgn:0000000000001000"));
    }

    [Test]
    public async Task Umask_nice_limits_and_privileges_are_set()
    {
        string text = await Shell("umask; nice; ulimit -n; ulimit -Hn; grep NoNewPrivs /proc/self/status", info =>
        {
            info.FileModeMask = UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
            info.Nice = 7;
            info.Limits[ResourceLimit.OpenFiles] = (40, 50);
            info.NoNewPrivileges = true;
        });
        Assert.That(text.Split('\n'), Is.EqualTo(new[] { "0027", "7", "40", "50", "NoNewPrivs:\t1" }));
    }

    [Test]
    public async Task A_soft_limit_can_be_set_alone() =>
        Assert.That(await Shell("ulimit -n", info => info.Limits[ResourceLimit.OpenFiles] = new ResourceLimitValue(30, null)), Is.EqualTo("30"));

    [Test]
    public async Task A_program_that_exceeds_its_limit_is_killed_by_the_signal_for_it()
    {
        SpawnInfo info = new("/bin/sh", "-c", "while :; do :; done") { Limits = { [ResourceLimit.ProcessorSeconds] = (1, 5), [ResourceLimit.CoreSize] = 0 } };
        Assert.That((await SpawnedProcess.RunAsync(info, cancellationToken: Limit)).ExitStatus.ToString(), Is.EqualTo("killed by SIGXCPU"));
    }

    [Test]
    public async Task The_processors_can_be_chosen() =>
        Assert.That(await Shell("nproc", info => info.ProcessorAffinity = [0]), Is.EqualTo("1"));

    [Test]
    public async Task A_program_can_be_given_another_name() =>
        Assert.That(await Shell("echo $0", info => { info.Argument0 = "-shell"; info.Arguments.Clear(); info.Arguments.Add("-c"); info.Arguments.Add("echo $0"); }), Is.EqualTo("-shell"));

    [Test]
    public async Task A_program_is_searched_in_the_path_that_was_chosen()
    {
        SpawnInfo info = new("sh", "-c", "echo found") { Environment = { ["PATH"] = "/nope" } };
        Assert.That((await SpawnedProcess.RunAsync(info, cancellationToken: Limit)).Text, Is.EqualTo("found\n"));
        info.PathSearch = PathSearch.Child;
        SpawnException e = Assert.Throws<SpawnException>(() => SpawnedProcess.Start(info))!;
        Assert.That(e.Message, Is.EqualTo("exec sh: ENOENT (No such file or directory). It was searched in /nope"));
        info.PathSearch = PathSearch.None;
        info.WorkingDirectory = "/bin";
        Assert.That((await SpawnedProcess.RunAsync(info, cancellationToken: Limit)).Text, Is.EqualTo("found\n"));
    }

    [Test]
    public async Task Another_user_comes_with_its_groups_and_without_ours()
    {
        if (Environment.UserName != "root")
            Assert.Ignore("needs root");
        const string Script = "id -un; id -gn; id -G | wc -w; grep -E '^(Uid|Gid)' /proc/self/status | tr -s '\\t' ' '";
        Assert.That((await Shell(Script, info => info.User = "nobody")).Split('\n'),
            Is.EqualTo(new[] { "nobody", "nogroup", "1", "Uid: 65534 65534 65534 65534", "Gid: 65534 65534 65534 65534" }));
        Assert.That(await Shell("id -u; id -g; id -G", info => (info.User, info.Group, info.Groups) = ("4321", "daemon", ["mail", "77"])), Is.EqualTo("4321\n1\n1 8 77"));
        Assert.That(Environment.UserName, Is.EqualTo("root"));
    }

    [Test]
    public void A_user_or_group_that_does_not_exist_is_named()
    {
        Assert.That(Assert.Throws<SpawnException>(() => SpawnedProcess.Start(new SpawnInfo("true") { User = "nobody-here" }))!.Message, Is.EqualTo("setuid nobody-here: there is no user of this name"));
        Assert.That(Assert.Throws<SpawnException>(() => SpawnedProcess.Start(new SpawnInfo("true") { Group = "nogroup-here" }))!.Message, Is.EqualTo("setgid nogroup-here: there is no group of this name"));
    }

    [Test]
    public void Values_out_of_range_are_refused_before_the_start() => Assert.Multiple(() =>
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => SpawnedProcess.Start(new SpawnInfo("true") { Nice = 20 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => SpawnedProcess.Start(new SpawnInfo("true") { SignalMask = [(PosixSignal)99] }));
        Assert.Throws<ArgumentOutOfRangeException>(() => SpawnedProcess.Start(new SpawnInfo("true") { ProcessorAffinity = [-1] }));
        Assert.Throws<ArgumentException>(() => SpawnedProcess.Start(new SpawnInfo("true") { ProcessorAffinity = [] }));
        Assert.Throws<ArgumentException>(() => _ = new SpawnInfo("true") { Limits = { [ResourceLimit.OpenFiles] = (5, 4) } });
        Assert.Throws<SpawnException>(() => SpawnedProcess.Start(new SpawnInfo("true") { ProcessorAffinity = [1000] }));
        Assert.Throws<SpawnException>(() => SpawnedProcess.Start(new SpawnInfo("true") { ProcessGroup = 1 }));
    });
}
