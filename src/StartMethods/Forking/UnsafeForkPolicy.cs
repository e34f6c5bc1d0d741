namespace StartMethods;

/// <summary>What happens when a fork is asked for that is not safe.</summary>
public enum UnsafeForkPolicy
{
    /// <summary><see cref="UnsafeForkException"/>, which names every culprit. Nothing has been changed then.</summary>
    Throw,

    /// <summary><see cref="ForkSafety.Warning"/> is raised, once for each call site, and the fork goes on.</summary>
    Warn,

    /// <summary>The fork goes on, and nothing is looked at: the caller knows what its threads are doing.</summary>
    Allow,
}
