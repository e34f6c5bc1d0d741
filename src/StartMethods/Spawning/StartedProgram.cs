namespace StartMethods.Spawning;

/// <summary>What a start gives: the lifetime, and this process's ends of the pipes.</summary>
internal readonly record struct StartedProgram(ProcessLifetime Lifetime, Stream? Input, Stream? Output, Stream? Error);

/// <summary>The three standard descriptors of one start, which may differ from those of the description that it uses.</summary>
internal readonly record struct StandardStreams(SpawnStdio Input, SpawnStdio Output, SpawnStdio Error)
{
    internal StandardStreams(SpawnInfo info) : this(info.StandardInput, info.StandardOutput, info.StandardError) { }
}
