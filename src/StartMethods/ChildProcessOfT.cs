namespace StartMethods;

/// <summary>A function that runs in another process and returns a value.</summary>
/// <typeparam name="T">The type of the value.</typeparam>
public sealed class ChildProcess<T> : ChildProcess
{
    private Task<T>? _result;

    internal ChildProcess(ChildJob job, ChildOptions? options) : base(job, options) { }

    /// <summary>
    /// The value that the body returned, as soon as it has arrived; fails with what the body threw, or with why there is no answer. It does not wait
    /// for the process to end.
    /// </summary>
    /// <inheritdoc cref="ChildProcess.Result"/>
    public new Task<T> Result => Once(ref _result, ReadAsync<T>);

    private protected override Task ResultTask => Result;
}
