namespace StartMethods;

/// <summary>Where a program that is named without a slash is searched. A name with a slash is never searched.</summary>
public enum PathSearch
{
    /// <summary>In the PATH of this process (or /usr/bin:/bin where it has none), as Python's <c>posix_spawnp</c> and <c>subprocess</c> do.</summary>
    Parent,

    /// <summary>In the PATH of the program's own environment, as a shell does for <c>PATH=… program</c>.</summary>
    Child,

    /// <summary>Nowhere: the name is a file of the working directory.</summary>
    None,
}
