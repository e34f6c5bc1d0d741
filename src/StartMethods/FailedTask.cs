using System.Runtime.ExceptionServices;

namespace StartMethods;

/// <summary>A task that failed as an async method fails: cancelled where the exception says so, and with that very exception.</summary>
internal static class FailedTask
{
    internal static async Task<TResult> Of<TResult>(Exception error)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        ExceptionDispatchInfo.Throw(error);
        return default!;
    }
}
