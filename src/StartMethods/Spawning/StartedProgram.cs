namespace StartMethods.Spawning;

/// <summary>What a start gives: the lifetime, and this process's ends of the pipes.</summary>
internal readonly record struct StartedProgram(ProcessLifetime Lifetime, Stream? Input, Stream? Output, Stream? Error);
