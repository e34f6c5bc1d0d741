namespace StartMethods.ProcessTests;

/// <summary>Applications that have no descriptor left.</summary>
public class ScarceDescriptorTests : IsolatedProcessTest
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory.Replace("StartMethods.ProcessTests", "TestChild"), "TestChild.dll");

    /// <summary>To wait for room the reactor needs one more. What did not fit into the socket was dropped, and its reader waited for ever.</summary>
    [Test]
    public async Task A_message_larger_than_its_socket_fails_at_once_on_both_sides_where_no_descriptor_is_left()
    {
        SpawnInfo info = new("dotnet", [Program, "post-without-descriptors"]);
        info.Limits[ResourceLimit.OpenFiles] = (256, 256);
        SpawnOutput output = await SpawnedProcess.RunAsync(info, new SpawnRunOptions { Timeout = TimeSpan.FromSeconds(15) }, Limit);
        Assert.That(output.Text, Does.Contain("there: an end within a frame; here: waiting for room in a channel: fcntl(F_DUPFD_CLOEXEC): EMFILE"), output.Error);
    }
}
