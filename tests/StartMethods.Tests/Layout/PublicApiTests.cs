using StartMethods.Interop;

namespace StartMethods.Tests.Layout;

public class PublicApiTests
{
    /// <summary>
    /// Whoever uses the library keeps compiling: nothing that was agreed on disappears or changes. What is new is named, and becomes part of the
    /// agreement with <c>STARTMETHODS_ACCEPT_PUBLIC_API=1 ./build.sh test FullyQualifiedName~PublicApi</c>.
    /// </summary>
    [Test]
    public void Nothing_public_disappears_or_changes()
    {
        string agreed = Repository.PathOf("tests", "StartMethods.Tests", "PublicApi.verified.txt");
        string actual = PublicApiText.Of(typeof(Native).Assembly);
        if (Environment.GetEnvironmentVariable("STARTMETHODS_ACCEPT_PUBLIC_API") == "1")
            File.WriteAllText(agreed, actual);
        HashSet<string> before = Qualified(File.ReadAllText(agreed)), now = Qualified(actual);
        TestContext.Out.WriteLine($"new, not agreed on yet:\n{string.Join('\n', now.Except(before))}");
        Assert.That(before.Except(now), Is.Empty, "gone or changed: a break for users. If it is meant: STARTMETHODS_ACCEPT_PUBLIC_API=1 ./build.sh test FullyQualifiedName~PublicApi");
    }

    // A member's line with its type in front of it.
    private static HashSet<string> Qualified(string text)
    {
        var lines = new HashSet<string>();
        string type = "";
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            lines.Add(line[0] == ' ' ? $"{type} ▸ {line.Trim()}" : type = line);
        return lines;
    }
}
