namespace StartMethods.Benchmarks;

/// <summary>
/// A reference that is a program of its own: C (<c>benchmarks/native</c>) or Python (<c>benchmarks/python</c>). It stays alive beside the subject,
/// blocked on its standard input; a line with a number makes it take so many samples and answer them on one line.
/// </summary>
internal sealed class ReferenceProgram : IDisposable
{
    private readonly Process _process;
    private readonly string _what;
    private bool _saysHello;

    private ReferenceProgram(string program, IEnumerable<string> arguments, params (string Name, string Value)[] settings)
    {
        _what = $"{program} {string.Join(' ', arguments)}";
        ProcessStartInfo info = new(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach ((string name, string value) in settings)
            info.Environment[name] = value;
        _process = Process.Start(info)!;
    }

    /// <summary>Starts this program itself, for a subject that must be a process of its own. Its first line is to be read by <see cref="Hello"/>.</summary>
    internal static ReferenceProgram Own(params string[] arguments) => Own([], arguments);

    /// <inheritdoc cref="Own(string[])"/>
    internal static ReferenceProgram Own((string Name, string Value)[] settings, params string[] arguments) =>
        new(Environment.ProcessPath!, [typeof(ReferenceProgram).Assembly.Location, .. arguments], settings) { _saysHello = true };

    internal int Id => _process.Id;

    /// <summary>What a program of <see cref="Own(string[])"/> says first, when it is ready.</summary>
    internal string Hello() => _hello ??= _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"the subject '{_what}' did not start");

    private string? _hello;

    /// <summary>Starts the program that was built from <c>benchmarks/native/NAME.c</c>; null, with a message, where there is no C compiler.</summary>
    internal static ReferenceProgram? C(string name, params string[] arguments)
    {
        string program = Path.Combine(Folder("native"), name);
        if (File.Exists(program))
            return new ReferenceProgram(program, arguments);
        Console.Error.WriteLine($"no reference '{name}': {program} does not exist (gcc is needed to build it)");
        return null;
    }

    /// <summary>Starts <c>benchmarks/python/NAME.py</c>; null, with a message, where there is no Python.</summary>
    internal static ReferenceProgram? Python(string name, params string[] arguments)
    {
        if (Environment.GetEnvironmentVariable("BENCH_PYTHON") is { Length: > 0 } python)
            return new ReferenceProgram(python, ["-W", "ignore", Path.Combine(Folder("python"), name + ".py"), .. arguments]);
        Console.Error.WriteLine($"no reference '{name}.py': python3 is missing");
        return null;
    }

    /// <summary>This program as a contender.</summary>
    internal Contender As(string name) => new(name, Measure);

    private double[] Measure(int count)
    {
        if (_saysHello)
            Hello();
        _process.StandardInput.WriteLine(count);
        _process.StandardInput.Flush();
        string line = _process.StandardOutput.ReadLine()
            ?? throw new InvalidOperationException($"the reference '{_what}' ended without an answer");
        return Array.ConvertAll(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), double.Parse);
    }

    /// <summary>Where build.sh puts the built references and where the scripts are: BENCH_NATIVE and BENCH_PYTHON_SCRIPTS.</summary>
    private static string Folder(string kind) =>
        Environment.GetEnvironmentVariable(kind == "native" ? "BENCH_NATIVE" : "BENCH_PYTHON_SCRIPTS")
            ?? throw new InvalidOperationException("start the benchmarks with ./build.sh bench: it builds the references and says where they are");

    /// <summary>Closes its input, which ends it, and waits for that.</summary>
    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(20)))
            _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }
}
