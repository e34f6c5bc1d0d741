namespace StartMethods.Benchmarks;

/// <summary>
/// Forks of a running .NET process beside raw C forks. The subject is a process of its own with default settings (<see cref="ForkSubject"/>), as heavy as the
/// comparison wants it. The C reference of the same run takes its shape, mapping by mapping; where it grows on purpose, as much anonymous memory and as many mappings.
/// </summary>
internal sealed class ForkBenchmarks : BenchmarkGroup
{
    private static readonly (string, string) WithoutWriteXorExecute = ("DOTNET_EnableWriteXorExecute", "0");

    internal override string Name => "fork";

    internal override IEnumerable<Comparison> Comparisons() => Starts().Concat(Rates()).Concat(Terminals()).Concat(Heaps()).Concat(Mappings()).Concat(Threads()).Concat(Owners());

    private static IEnumerable<Comparison> Starts()
    {
        using var posix = ForkSubject.Start("start");
        using var posixOff = ForkSubject.Start("start", WithoutWriteXorExecute);
        using var raw = ForkSubject.Start("raw");
        using var multiprocessing = ReferenceProgram.Python("starts", "process", "fork");
        using var osFork = ReferenceProgram.Python("starts", "os.fork");
        using var c = Like("exit", posix);
        yield return new Comparison
        {
            Name = "fork: start → exit → reaped, idle process",
            Subject = posix.As("Posix.Fork + Exit + Wait"),
            Reference = multiprocessing?.As("CPython multiprocessing fork, start + join"),
            Others = [osFork?.As("CPython os.fork + _exit + waitpid"), posixOff.As("Posix.Fork + Exit + Wait, W^X off"), raw.As("bare fork(2) of such a process + exit + reaped"), c?.As("C fork + exit + reaped, same RSS and VMAs")],
            Floor = 1.3,
            Goal = 0.7,
        };
        using var child = ForkSubject.Start("run");
        yield return new Comparison
        {
            Name = "fork: function → result → exit → reaped, idle process",
            Subject = child.As("ChildProcess.RunAsync, fork"),
            Reference = multiprocessing?.As("CPython multiprocessing fork, start + join"),
            Floor = 1.3,
            Goal = 0.7,
        };
        using var first = ForkSubject.Start("child");
        using var firstOff = ForkSubject.Start("child", WithoutWriteXorExecute);
        using var cExit = Like("exit", first);
        using var cChild = Like("child", first);
        yield return new Comparison
        {
            Name = "fork: call → first managed instruction in the child",
            Subject = first.As("Posix.Fork"),
            Reference = cExit?.As("C fork + exit + reaped, same RSS and VMAs"),
            Others = [firstOff.As("Posix.Fork, W^X off"), cChild?.As("C fork → first instruction, same RSS and VMAs")],
            Floor = 2,
            Goal = 1.3,
        };
    }

    private static IEnumerable<Comparison> Rates()
    {
        using var rate = ForkSubject.Start("rate");
        using var off = ForkSubject.Start("rate", WithoutWriteXorExecute);
        using var python = ReferenceProgram.Python("starts", "rate", "fork");
        yield return new Comparison
        {
            Name = "fork: forks per second, 2 in flight",
            Unit = "/s",
            Subject = rate.As("Posix.Fork + Exit + Wait"),
            Reference = python?.As("CPython multiprocessing fork"),
            Others = [off.As("the same, W^X off")],
            SamplesPerRound = 1,
            Warmup = 1,
        };
    }

    private static IEnumerable<Comparison> Terminals()
    {
        using var rate = ForkSubject.Start("pty-rate");
        using var cRate = ReferenceProgram.C("pty", "rate");
        yield return new Comparison
        {
            Name = "forkpty: child → parent, 64 KB writes",
            Unit = "MB/s",
            Subject = rate.As("Posix.ForkPty"),
            Reference = cRate?.As("C forkpty"),
            Floor = 0.9,
            Goal = 1,
            SamplesPerRound = 1,
            Warmup = 1,
        };
        using var echo = ForkSubject.Start("pty-echo");
        using var cEcho = ReferenceProgram.C("pty", "echo");
        yield return new Comparison
        {
            Name = "forkpty: round trip of one byte",
            Subject = echo.As("Posix.ForkPty"),
            Reference = cEcho?.As("C forkpty"),
            Floor = 1.2,
            Goal = 1.05,
            SamplesPerRound = 200,
        };
    }

    private static IEnumerable<Comparison> Heaps() => ((int[])[16, 64, 256, 1024]).SelectMany(megabytes => Growth($"with {megabytes} MB of heap", megabytes, 0, 0));

    private static IEnumerable<Comparison> Mappings() => ((int[])[1000, 4000, 16000]).SelectMany(mappings => Growth($"with {mappings} mappings more", 0, mappings, 0));

    private static IEnumerable<Comparison> Threads() => ((int[])[4, 16, 64]).SelectMany(threads => Growth($"with {threads} waiting threads", 0, 0, threads));

    private static IEnumerable<Comparison> Growth(string shape, int megabytes, int mappings, int threads)
    {
        using var subject = ForkSubject.Start("start", megabytes, mappings, threads);
        using var c = SameShape("exit", subject, threads);
        using var huge = megabytes >= 256 ? ForkSubject.Start("start-huge", megabytes, mappings, threads) : null;
        using var all = threads > 0 ? ForkSubject.Start("start-all", megabytes, mappings, threads) : null;
        yield return new Comparison
        {
            Name = $"fork: start → exit → reaped, {shape}",
            Subject = subject.As("Posix.Fork + Exit + Wait"),
            Reference = c?.As("C fork + exit + reaped, same memory, VMAs and threads"),
            Others = [all?.As("the same with ForkThreads.All"), huge?.As("the same with ForkOptions.HugePages")],
            Rounds = 6,
            SamplesPerRound = 10,
            Warmup = 2,
        };
    }

    private static IEnumerable<Comparison> Owners()
    {
        using var large = ForkSubject.Start("revival", 1024);
        using var small = ForkSubject.Start("revival", 64);
        yield return new Comparison
        {
            Name = "fork: the child's repair beside a thread that compiles",
            Subject = large.As("with 1 GB of heap"),
            Reference = small.As("with 64 MB of heap"),
            Rounds = 6,
            SamplesPerRound = 10,
            Warmup = 2,
        };
    }

    // With the mappings of the subject one by one: what it costs the kernel to fork a process depends on what they are of and how much of each is there, not on their number and size alone.
    private static ReferenceProgram? Like(string what, ReferenceProgram subject)
    {
        subject.Hello();
        return ReferenceProgram.C("fork", what, "like", $"{subject.Id}");
    }

    private static ReferenceProgram? SameShape(string what, ReferenceProgram subject, int threads = 0)
    {
        string[] shape = subject.Hello().Split(' ');
        // A thread's stack and its guard are two of the mappings, and the threads of the reference bring their own.
        return ReferenceProgram.C("fork", what, shape[0], $"{int.Parse(shape[1]) - 2 * threads}", $"{threads}");
    }
}
