using System.Diagnostics;
using System.Reflection;
using NUnit.Framework.Internal;

namespace StartMethods.ProcessTests;

/// <summary>
/// The base of every test that starts processes: it is given a hard time limit, and leaves nothing behind. After each test there may be no
/// zombie and no child that was not there before, no descriptor more, and nothing new in /tmp and /dev/shm; what takes a moment to go is given two seconds.
/// </summary>
[CancelAfter(HardLimitMilliseconds)]
public abstract class IsolatedProcessTest
{
    /// <summary>No test takes longer than this; a test that needs more says so with its own [CancelAfter].</summary>
    protected const int HardLimitMilliseconds = 30_000;

    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);
    private Surroundings _before = null!;
    private Watchdog? _watchdog;

    /// <summary>Cancelled when the time of the test is over.</summary>
    protected static CancellationToken Limit => TestContext.CurrentContext.CancellationToken;

    [SetUp]
    public void RememberTheSurroundings()
    {
        _watchdog = new Watchdog(TestContext.CurrentContext.Test.FullName, LimitOfThisTest() + HardLimitMilliseconds, Surroundings.Children);
        _before = Surroundings.Look();
    }

    // That of the test itself, of its fixture, or the usual one.
    private int LimitOfThisTest() =>
        TestContext.CurrentContext.Test.Properties.Get(PropertyNames.Timeout) as int? ?? GetType().GetCustomAttribute<CancelAfterAttribute>(inherit: true)?.Properties.Get(PropertyNames.Timeout) as int? ?? HardLimitMilliseconds;

    [TearDown]
    public void NothingIsLeftBehind()
    {
        _watchdog?.Dispose();
        string left = "";
        Stopwatch settling = Stopwatch.StartNew();
        do
        {
            left = Surroundings.Look().Difference(_before);
            if (left.Length == 0)
                return;
            GC.Collect(); // a handle that only a finalizer closes is no leak
            GC.WaitForPendingFinalizers();
            Thread.Sleep(20);
        }
        while (settling.Elapsed < Settling);
        Surroundings.EndLeftChildren(_before);
        Assert.Fail($"The test left something behind:\n{left}");
    }

    /// <summary>Waits until a condition holds, at most five seconds, looking every five milliseconds.</summary>
    protected static async Task Eventually(Func<bool> condition, string what)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)), $"this did not come about: {what}");
            await Task.Delay(5, Limit);
        }
    }

    /// <summary>
    /// Ends the children of a test that blocks beyond its limit, so that the test fails where it waits instead of holding up all that come after it.
    /// </summary>
    private sealed class Watchdog : IDisposable
    {
        private readonly Timer _timer;

        internal Watchdog(string test, int milliseconds, Func<IReadOnlyDictionary<int, string>> children)
        {
            HashSet<int> before = [.. children().Keys];
            _timer = new Timer(_ =>
            {
                TestContext.Error.WriteLine($"{test}: over its limit, its children are ended");
                foreach ((int id, string name) in children().Where(child => !before.Contains(child.Key)))
                    Surroundings.End(id, name);
            }, null, milliseconds, Timeout.Infinite);
        }

        public void Dispose() => _timer.Dispose();
    }
}
