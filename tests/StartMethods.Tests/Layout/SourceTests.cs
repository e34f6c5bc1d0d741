using System.Text.RegularExpressions;
using System.Xml.Linq;
using StartMethods.Interop;

namespace StartMethods.Tests.Layout;

/// <summary>Rules about the sources that no compiler checks.</summary>
public partial class SourceTests
{
    [Test]
    public void No_file_knows_a_path_of_the_machine_it_was_written_on()
    {
        string[] wrong = [.. from file in Repository.Files
                             where Path.GetExtension(file) is not (".png" or ".snk" or ".ico")
                             from line in File.ReadLines(Repository.PathOf(file)).Select((text, index) => (text, number: index + 1))
                             where MachinePath().IsMatch(line.text)
                             select $"{file}:{line.number}: {line.text.Trim()}"];
        Assert.That(wrong, Is.Empty);
    }

    [TestCase(".cs", 300)]
    [TestCase(".c", 400)]
    public void A_file_is_short_enough_to_be_read_in_one_go(string extension, int lines)
    {
        string[] wrong = [.. from file in Repository.Files
                             where Path.GetExtension(file) == extension
                             let count = File.ReadLines(Repository.PathOf(file)).Count()
                             where count > lines
                             select $"{file}: {count} lines"];
        Assert.That(wrong, Is.Empty, $"split what has more than {lines} lines by aspect (Type.Aspect.cs)");
    }

    /// <summary>CS1591 (a public member without documentation) is an error of the build; nothing may switch it off, and a summary must say something.</summary>
    [Test]
    public void Everything_public_is_documented()
    {
        string[] switchedOff = [.. from file in Repository.FilesBelow("src/", ".cs", ".csproj", ".props", ".targets")
                                   where File.ReadAllText(Repository.PathOf(file)).Contains("1591", StringComparison.Ordinal)
                                   select file];
        Assert.That(switchedOff, Is.Empty);

        string documentation = Path.ChangeExtension(typeof(Native).Assembly.Location, ".xml");
        string[] silent = [.. from member in XDocument.Load(documentation).Descendants("member")
                              where !member.Descendants("inheritdoc").Any()
                              where member.Element("summary") is not { } summary || (summary.Value.Trim().Length == 0 && !summary.HasElements)
                              select (string?)member.Attribute("name")];
        Assert.That(silent, Is.Empty, "members whose documentation has no summary");
    }

    /// <summary>What each of these does wrong here, and what to call instead.</summary>
    private static readonly Dictionary<string, string> Banned = new()
    {
        ["System.Threading.Thread.Sleep"] = "wait for the event itself",
        ["System.DateTime.get_Now"] = "DateTime.UtcNow, or Stopwatch for durations: local time jumps",
        ["System.Diagnostics.Process.GetCurrentProcess"] = "Environment.ProcessId: after a fork, a Process object holds the parent's id",
        ["System.Environment.Exit"] = "the orderly exit of Bootstrap: Environment.Exit waits for threads that a forked child may not have",
        ["System.GC.Collect"] = "nothing: a library does not decide when its host collects",
    };

    [Test]
    public void The_library_calls_nothing_that_is_banned()
    {
        var reader = new AssemblyReader(typeof(Native).Assembly);
        string[] wrong = [.. from type in reader.Types
                             from member in reader.MembersUsedBy(type)
                             let name = $"{member.DeclaringType?.FullName}.{member.Name}"
                             where Banned.ContainsKey(name)
                             where (type.Name, name) != ("OrderlyExit", "System.Environment.Exit") // which is that orderly exit, where there is no native library
                             where (AssemblyReader.OutermostOf(type).Name, name) is not (("ServerWarmUp" or "Canary" or "CanarySteps"), "System.GC.Collect") // processes of the library's own
                             let finding = $"{AssemblyReader.OutermostOf(type).Name} calls {name}: rather {Banned[name]}"
                             group finding by finding into findings
                             select findings.Key];
        Assert.That(wrong, Is.Empty);
    }

    // Home directories and checkouts; split, so that this file does not find itself.
    [GeneratedRegex(@"(?<![\w.$}~])/(home|root|work|Users)" + @"/[\w.]|[A-Z]:\\Users\\", RegexOptions.CultureInvariant)]
    private static partial Regex MachinePath();
}
