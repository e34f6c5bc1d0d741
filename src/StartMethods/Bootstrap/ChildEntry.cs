using System.Runtime.CompilerServices;
using System.Text;
using StartMethods.Channels;
using StartMethods.Interop;

namespace StartMethods.Bootstrap;

/// <summary>Where a fresh process finds out that it is a child. In one that is not, this costs one look into the environment.</summary>
internal static class ChildEntry
{
    /// <summary>EX_SOFTWARE of sysexits.h: the child could not even begin its conversation.</summary>
    internal const int BootstrapFailedCode = 70;

    /// <summary>Runs the job and never returns if this process was started as a child; else returns at once.</summary>
    internal static void Run()
    {
        string? text = Environment.GetEnvironmentVariable(ChildVariable.Name);
        if (text is not null)
            RunChild(text);
    }

    // Apart, so that an ordinary process that merely carries the hook loads and compiles nothing of what follows.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RunChild(string text)
    {
        FrameChannel channel;
        try
        {
            RestoreEnvironment();
            ChildVariable variable = ChildVariable.Parse(text);
            ChildContext.Depth = variable.Depth;
            channel = new FrameChannel(variable.Open());
        }
        catch (Exception e)
        {
            OrderlyExit.WriteError($"StartMethods: this process was started as a child but cannot reach its parent: {e.Message}");
            OrderlyExit.End(BootstrapFailedCode);
            return;
        }
        ChildRunner.RunFromWire(channel, isCopy: false);
    }

    /// <summary>Leaves the environment as the user asked for it: programs that the child starts are no children of this kind.</summary>
    private static void RestoreEnvironment()
    {
        string? hooks = StartupHooks.Remove(Environment.GetEnvironmentVariable(StartupHooks.Variable));
        Set(ChildVariable.Name, null);
        Set(StartupHooks.Variable, hooks);
    }

    private static void Set(string name, string? value)
    {
        Environment.SetEnvironmentVariable(name, value);
        if (!Native.IsPortable)
            Native.SetEnvironment(name, value);
    }
}
