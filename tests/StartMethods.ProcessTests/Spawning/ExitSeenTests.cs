namespace StartMethods.ProcessTests;

/// <summary>The end of a process that is noticed in several ways at once.</summary>
[Category("Portable")]
public class ExitSeenTests : IsolatedProcessTest
{
    // Who is told of the end, who asks for it and who sends a signal take the same locks: in one order, or two of them wait for each other for ever.
    [Test]
    public async Task Asking_signalling_and_being_told_of_an_exit_do_not_wait_for_each_other()
    {
        for (int i = 0; i < 60; i++)
        {
            await using SpawnedProcess process = SpawnedProcess.Start("true");
            Task[] watchers =
            [
                Watch(() => !process.HasExited),
                Watch(() => { process.Kill(); return !process.HasExited; }),
                process.WaitForExitAsync(Limit),
            ];
            await Task.WhenAll(watchers).WaitAsync(TimeSpan.FromSeconds(10), Limit);
        }
    }

    // A thread of its own, so that a deadlock leaves the test one to report it.
    private static Task Watch(Func<bool> goesOn) => Task.Factory.StartNew(() =>
    {
        while (goesOn())
        {
        }
    }, TaskCreationOptions.LongRunning);
}
