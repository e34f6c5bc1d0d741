namespace TestChild;

/// <summary>One behaviour of this program.</summary>
/// <returns>The exit code.</returns>
internal delegate Task<int> Verb(string[] arguments);
