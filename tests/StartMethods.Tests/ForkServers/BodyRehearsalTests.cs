using System.Runtime;
using StartMethods.ForkServers;
using StartMethods.Payloads;

namespace StartMethods.Tests.ForkServers;

public class BodyRehearsalTests
{
    private static int s_calls;

    [Test]
    public void A_function_that_was_rehearsed_is_compiled_and_was_not_called()
    {
        Func<int> body = static () => ++s_calls;
        BodyRehearsal.Run(Function.Of(body).Definition);
        Assert.That(CompiledBy(() => body()), Is.Zero);
        Assert.That(s_calls, Is.EqualTo(1));
    }

    [Test]
    public void A_function_with_captured_variables_is_rehearsed_too()
    {
        int captured = 3;
        Func<int, int> body = x => x + captured;
        BodyRehearsal.Run(Function.Of(body).Definition);
        Assert.That(CompiledBy(() => body(4)), Is.Zero);
    }

    [Test]
    public void Of_an_asynchronous_function_the_part_before_its_first_wait_is_compiled()
    {
        Func<Task<int>> body = static async () =>
        {
            await Task.CompletedTask;
            return 5;
        };
        BodyRehearsal.Run(Function.Of(body).Definition);
        Assert.That(CompiledBy(() => body()), Is.Zero);
    }

    [Test]
    public void Nonsense_is_ignored() => Assert.DoesNotThrow(() => BodyRehearsal.Run([1, 2, 3]));

    // On this thread: the compiler's own, which make code better in the background, do not count.
    private static long CompiledBy(Action action)
    {
        _ = JitInfo.GetCompiledMethodCount(currentThread: true);
        action.Method.GetType(); // whatever the call itself needs
        System.Runtime.CompilerServices.RuntimeHelpers.PrepareDelegate(action);
        long before = JitInfo.GetCompiledMethodCount(currentThread: true);
        action();
        return JitInfo.GetCompiledMethodCount(currentThread: true) - before;
    }
}
