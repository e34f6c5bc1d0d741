using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>
/// The files by which tools find a .NET process: its diagnostics socket, and the pipes for debuggers. The runtime leaves them behind where it is killed; whoever has reaped the process removes them.
/// </summary>
internal sealed class RuntimeFiles
{
    private readonly int _id;
    private readonly long _startTime;
    private readonly string? _folder;

    private RuntimeFiles(int id, long startTime, string? folder) => (_id, _startTime, _folder) = (id, startTime, folder);

    /// <summary>Those of a process that was just started; null where the system does not tell when.</summary>
    /// <param name="id">Its process id, which is its own until it is reaped.</param>
    /// <param name="info">With which environment: the folder for temporary files is in it.</param>
    internal static RuntimeFiles? Of(int id, SpawnInfo info)
    {
        const string variable = "TMPDIR";
        long time = Native.IsPortable ? -1 : Native.ProcessStartTime(id);
        if (time < 0)
            return null;
        return new RuntimeFiles(id, time, info.HasEnvironment ? info.Environment.TryGetValue(variable, out string? folder) ? folder : null : Environment.GetEnvironmentVariable(variable));
    }

    internal void Remove() => Native.ProcessRemoveFiles(_id, _startTime, _folder);
}
