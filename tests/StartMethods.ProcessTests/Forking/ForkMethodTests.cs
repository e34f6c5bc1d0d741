namespace StartMethods.ProcessTests.Forking;

public class ForkMethodTests : ForkTests
{
    [Test]
    public void It_is_one_of_the_supported_methods()
    {
        Assert.That(StartMethod.Get("fork"), Is.SameAs(StartMethod.Fork));
        Assert.That(StartMethod.Supported, Does.Contain(StartMethod.Fork));
        Assert.That(StartMethod.ForkWith(new ForkOptions()).Name, Is.EqualTo("fork"));
    }

    [Test]
    public async Task A_body_finds_the_heap_as_it_is_and_its_changes_stay_in_the_child() =>
        Assert.That(await Run("forked-results"), Is.EqualTo("43\n41\nfork\nFalse\nFalse\ngrandchild"));

    [Test]
    public async Task Exceptions_crashes_kills_and_cancellations_are_told_apart() =>
        Assert.That(await Run("forked-failures"), Is.EqualTo("InvalidDataException broken\nkilled by SIGABRT True\nkilled by SIGKILL\ncancelled"));

    [Test]
    public async Task A_child_has_the_environment_directory_and_streams_that_it_was_given() =>
        Assert.That(await Run("forked-surroundings"), Is.EqualTo("parent\nread hello\nblue /tmp; True False"));

    [Test]
    public async Task Fifty_children_one_after_the_other_leave_nothing_behind() => Assert.That(await Run("forked-many", "50"), Is.EqualTo("1225 True 0"));

    [Test]
    public void With_threads_of_the_application_it_is_refused_before_anything_has_happened()
    {
        using ManualResetEventSlim end = new();
        Thread thread = new(() => end.Wait()) { Name = "in the way" };
        thread.Start();
        try
        {
            Assert.That(() => ChildProcess.Start(() => 1, new ChildOptions { Method = StartMethod.Fork }), Throws.TypeOf<UnsafeForkException>().With.Message.Contains("'in the way'"));
            Assert.That(ChildProcess.Active, Is.Empty);
        }
        finally
        {
            end.Set();
            thread.Join();
        }
    }

    [Test]
    public async Task Options_of_ones_own_allow_it_all_the_same() => Assert.That(await Run("forked-allowed"), Is.EqualTo("42"));
}
