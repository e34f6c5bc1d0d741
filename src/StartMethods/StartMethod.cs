using StartMethods.Methods;

namespace StartMethods;

/// <summary>
/// How a child process comes into being: a strategy with one operation. The built-in ones are <see cref="Spawn"/> and, where the system has them,
/// those of <see cref="Supported"/>; a class of one's own that derives from this goes wherever they go.
/// </summary>
/// <remarks>Counterpart of the contexts of Python's <c>multiprocessing</c>.</remarks>
public abstract partial class StartMethod
{
    private static StartMethod? s_default;

    /// <summary>"spawn", "fork", "forkserver", or the name that a class of one's own gives itself.</summary>
    public abstract string Name { get; }

    /// <summary>Why this method cannot be used here, in one sentence; null where it can.</summary>
    public virtual string? UnsupportedReason => null;

    /// <summary>
    /// A fresh process of this application, started by exec: nothing of the parent's state is in it but what the body captured. Safe whatever the
    /// parent's threads are doing. Works on every platform.
    /// </summary>
    public static StartMethod Spawn { get; } = new SpawnMethod();

    /// <summary>
    /// Children are forked from a warm process of this application: as safe as <see cref="Spawn"/>, and many times faster. Linux only. A server of one's own, with a
    /// preload, is a <see cref="StartMethods.ForkServer"/>.
    /// </summary>
    public static StartMethod ForkServer { get; } = StartMethods.ForkServer.CreateShared();

    /// <summary>
    /// A copy of this process as it is: the body, its argument and everything that it reaches is there, nothing is written for the wire but the result. Only where it is
    /// safe: see <see cref="ForkSafety"/>. Linux on x64.
    /// </summary>
    /// <remarks>
    /// The child ends when the body has returned, without its parent's ProcessExit handlers and finalizers. Locks that threads of the application hold, and connections, are not
    /// what they were: docs/fork-safety.md.
    /// </remarks>
    public static StartMethod Fork { get; } = new ForkMethod(null);

    /// <summary><see cref="Fork"/> with options of one's own: policy, threads, deadline, sockets that the child keeps.</summary>
    public static StartMethod ForkWith(ForkOptions options) => new ForkMethod(options ?? throw new ArgumentNullException(nameof(options)));

    /// <summary>
    /// The method of children whose <see cref="ChildOptions.Method"/> is null: <see cref="ForkServer"/> where it works, that is on Linux, else <see cref="Spawn"/>.
    /// </summary>
    /// <exception cref="StartMethodNotSupportedException">Set to a method that does not work here.</exception>
    public static StartMethod Default
    {
        get => s_default ??= ForkServer.UnsupportedReason is null ? ForkServer : Spawn;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            value.ThrowIfUnsupported();
            s_default = value;
        }
    }

    /// <summary>The built-in methods that work here, the recommended one first. Python: <c>multiprocessing.get_all_start_methods</c>.</summary>
    public static IReadOnlyList<StartMethod> Supported => [.. BuiltIn().Where(method => method.UnsupportedReason is null)];

    /// <summary>The built-in method of a name: "fork", "forkserver" or "spawn". It may be unsupported here: see <see cref="UnsupportedReason"/>.</summary>
    /// <exception cref="ArgumentException">There is no such method.</exception>
    public static StartMethod Get(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return BuiltIn().FirstOrDefault(method => method.Name == name)
            ?? throw new ArgumentException($"There is no start method '{name}'; there are: {string.Join(", ", BuiltIn().Select(method => method.Name))}.", nameof(name));
    }

    /// <summary>
    /// Starts the process, and returns once it runs or throws. The simplest method is
    /// <c>launch.Start(launch.CreateSpawnInfo())</c>; a class of one's own changes the command in between.
    /// </summary>
    /// <exception cref="StartMethodException">The process could not be started: stage, culprit and errno are in the message.</exception>
    protected internal abstract SpawnedProcess Launch(ChildLaunch launch);

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    internal virtual void ThrowIfUnsupported()
    {
        if (UnsupportedReason is { } reason)
            throw new StartMethodNotSupportedException($"The start method '{Name}' does not work here: {reason}");
    }

    // In the order of recommendation. A method adds itself here, and a static property above.
    internal static IEnumerable<StartMethod> BuiltIn() => [ForkServer, Spawn, Fork];
}
