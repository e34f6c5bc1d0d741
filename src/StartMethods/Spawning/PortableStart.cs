using System.ComponentModel;
using System.Diagnostics;
using StartMethods.Interop;

namespace StartMethods.Spawning;

/// <summary>A start through <see cref="Process"/>, where there is no native library: arguments, environment, directory and pipes.</summary>
internal static class PortableStart
{
    internal static StartedProgram Start(SpawnInfo info, StandardStreams streams)
    {
        Refuse(info);
        ProcessStartInfo start = new(SpawnText.Check(info.FileName, nameof(SpawnInfo.FileName)))
        {
            UseShellExecute = false,
            WorkingDirectory = SpawnText.Check(info.WorkingDirectory ?? "", nameof(SpawnInfo.WorkingDirectory)),
            RedirectStandardInput = IsRedirected(streams.Input, 0),
            RedirectStandardOutput = IsRedirected(streams.Output, 1),
            RedirectStandardError = IsRedirected(streams.Error, 2),
        };
        foreach (string argument in SpawnText.Arguments(info).Skip(1))
            start.ArgumentList.Add(argument);
        if (info.HasEnvironment)
        {
            start.Environment.Clear();
            foreach ((string name, string? value) in info.Environment)
                if (value is not null)
                    start.Environment[SpawnText.Check(name, nameof(SpawnInfo.Environment))] = SpawnText.Check(value, nameof(SpawnInfo.Environment));
        }
        Process process = Run(start, info);
        if (info.KillOnParentExit)
            KillAtExit(process);
        return new StartedProgram(new PortableLifetime(process),
            Connect(streams.Input, process.StartInfo.RedirectStandardInput ? process.StandardInput.BaseStream : null),
            Connect(streams.Output, process.StartInfo.RedirectStandardOutput ? process.StandardOutput.BaseStream : null),
            Connect(streams.Error, process.StartInfo.RedirectStandardError ? process.StandardError.BaseStream : null));
    }

    private static Process Run(ProcessStartInfo start, SpawnInfo info)
    {
        Process process = new() { StartInfo = start };
        try
        {
            process.Start();
            return process;
        }
        catch (Win32Exception e)
        {
            process.Dispose();
            bool directory = info.WorkingDirectory is { } path && !Directory.Exists(path);
            throw directory
                ? new SpawnException("chdir", info.WorkingDirectory, $"chdir {info.WorkingDirectory}: {e.Message}", e)
                : new SpawnException("exec", info.FileName, $"exec {info.FileName}: {e.Message}", e);
        }
    }

    private static void Refuse(SpawnInfo info)
    {
        string? option =
            info.InheritedHandles.Count > 0 ? nameof(SpawnInfo.InheritedHandles) : info.NewSession ? nameof(SpawnInfo.NewSession)
            : info.ProcessGroup is not null ? nameof(SpawnInfo.ProcessGroup) : info.SignalDefaults is not null ? nameof(SpawnInfo.SignalDefaults)
            : info.SignalMask is not null ? nameof(SpawnInfo.SignalMask) : info.User is not null ? nameof(SpawnInfo.User)
            : info.Group is not null ? nameof(SpawnInfo.Group) : info.Groups is not null ? nameof(SpawnInfo.Groups)
            : info.FileModeMask is not null ? nameof(SpawnInfo.FileModeMask) : info.Nice is not null ? nameof(SpawnInfo.Nice)
            : info.ProcessorAffinity is not null ? nameof(SpawnInfo.ProcessorAffinity) : info.LimitsOrNull is { Count: > 0 } ? nameof(SpawnInfo.Limits)
            : info.StartTimeout is not null ? nameof(SpawnInfo.StartTimeout) : info.NoNewPrivileges ? nameof(SpawnInfo.NoNewPrivileges) : info.Argument0 is not null ? nameof(SpawnInfo.Argument0)
            : info.PathSearch != PathSearch.Parent ? nameof(SpawnInfo.PathSearch) : null;
        if (option is not null)
            throw NotHere(option);
    }

    private static bool IsRedirected(SpawnStdio stdio, int number) => stdio.Kind switch
    {
        SpawnStdio.Target.Inherit => false,
        SpawnStdio.Target.Pipe or SpawnStdio.Target.Null => true,
        SpawnStdio.Target.MergeIntoOutput when number != 2 => throw new ArgumentException($"{stdio} is for standard error only."),
        _ => throw NotHere($"{nameof(SpawnStdio)}.{stdio.Kind}"),
    };

    // Process has no null device: input ends at once, output is read and thrown away.
    private static Stream? Connect(SpawnStdio stdio, Stream? stream)
    {
        if (stdio.Kind != SpawnStdio.Target.Null || stream is null)
            return stream;
        if (stream.CanWrite)
            stream.Dispose();
        else
            _ = stream.CopyToAsync(Stream.Null).ContinueWith(static (_, state) => ((Stream)state!).Dispose(), stream, TaskScheduler.Default);
        return null;
    }

    private static void KillAtExit(Process process)
    {
        EventHandler kill = (_, _) => Kill(process);
        AppDomain.CurrentDomain.ProcessExit += kill;
        process.Exited += (_, _) => AppDomain.CurrentDomain.ProcessExit -= kill;
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill();
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has ended already, which is what was wanted.
        }
    }

    private static SpawnException NotHere(string option) =>
        new("start", option, $"{option} is not available on the portable path, because {Native.UnavailableReason}.");
}
