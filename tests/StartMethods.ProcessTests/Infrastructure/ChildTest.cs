namespace StartMethods.ProcessTests;

/// <summary>The base of tests whose children must do the same however they were started: they run once with each method that is safe whatever the parent's threads do.</summary>
[TestFixtureSource(typeof(ChildTest), nameof(Methods))]
public abstract class ChildTest(string method) : IsolatedProcessTest
{
    private StartMethod _before = null!;

    /// <summary>The environment variable by which an application of the tests is told its default method.</summary>
    protected const string Variable = "SM_TEST_METHOD";

    /// <summary>The name of the method under test, which is the default meanwhile.</summary>
    protected string Method => method;

    /// <summary>"spawn", and "forkserver" where it works.</summary>
    public static IEnumerable<string> Methods => StartMethod.Supported.Select(supported => supported.Name).Where(name => name != "fork");

    [SetUp]
    public void MakeItTheDefault() => (_before, StartMethod.Default) = (StartMethod.Default, StartMethod.Get(method));

    [TearDown]
    public void RestoreTheDefault() => StartMethod.Default = _before;
}
