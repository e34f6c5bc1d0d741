using System.Text.RegularExpressions;

[assembly: NonParallelizable]

namespace PackageTests;

/// <summary>The packed package, from a local feed, in an application of each form in which .NET applications are deployed.</summary>
public class DeploymentTests
{
    // The default start method is the fork server, except where the runtime is not a library of its own.
    private static string Expected(string method) => $"closure 42\nargument BOLTS\nasync {method} in Application\nnested 3\nexception from the child\n";
    private readonly string _work = Path.Combine(Path.GetTempPath(), $"startmethods-package-{Environment.ProcessId}");
    // A version of its own each time: the package cache must not answer with an older one.
    private readonly string _version = $"0.0.0-test.{DateTime.UtcNow:yyyyMMddHHmmss}.{Environment.ProcessId}";
    private string _repository = "", _configuration = "";

    [OneTimeSetUp]
    public void PackAndRestore()
    {
        string bin = TestContext.CurrentContext.TestDirectory;
        _configuration = Path.GetFileName(bin.TrimEnd('/'));
        _repository = Path.GetFullPath(Path.Combine(bin, "..", "..", "..", ".."));
        Directory.CreateDirectory(_work);
        CommandLine.Run(_repository, "dotnet", "pack", "src/StartMethods/StartMethods.csproj", "-c", _configuration, "--no-build", "-o", Path.Combine(_work, "feed"), $"-p:PackageVersion={_version}", "-v", "quiet", "-nologo");
        foreach (string project in (string[])["Application", "TestProject", "XunitProject", "MSTestProject", "BenchmarkProject"])
            Instantiate(Path.Combine(bin, project), Path.Combine(_work, project));
        // One restore for all forms of the application: with all that the most demanding of them needs.
        CommandLine.Run(Application, "dotnet", "restore", "-p:SelfContained=true", "-p:PublishTrimmed=true", "-p:PublishSingleFile=true");
    }

    [OneTimeTearDown]
    public void Remove()
    {
        Directory.Delete(_work, recursive: true);
        string cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        string unpacked = Path.Combine(cache, "startmethods", _version);
        if (Directory.Exists(unpacked))
            Directory.Delete(unpacked, recursive: true);
    }

    private string Application => Path.Combine(_work, "Application");

    [Test]
    public void A_framework_dependent_application_starts_its_children_by_dotnet_and_by_its_own_executable()
    {
        string output = Publish("framework", "-p:SelfContained=false");
        Check(CommandLine.Run(_work, "dotnet", Path.Combine(output, "Application.dll")));
        Check(CommandLine.Run("/", Path.Combine(output, "Application")));
        Check(CommandLine.Run(output, "dotnet", "exec", "Application.dll"));
    }

    [Test]
    public void A_self_contained_application_starts_its_children() =>
        Check(CommandLine.Run(_work, Path.Combine(Publish("contained", "-p:SelfContained=true"), "Application")));

    [Test]
    public void A_single_file_starts_its_children() =>
        Check(CommandLine.Run(_work, Path.Combine(Publish("single", "-p:SelfContained=true", "-p:PublishSingleFile=true"), "Application")), "spawn");

    [Test]
    public void A_trimmed_single_file_starts_its_children() =>
        Check(CommandLine.Run(_work, Path.Combine(Publish("trimmed", "-p:SelfContained=true", "-p:PublishSingleFile=true", "-p:PublishTrimmed=true"), "Application")), "spawn");

    [TestCase("TestProject"), TestCase("XunitProject"), TestCase("MSTestProject")]
    public void A_test_under_NUnit_xunit_or_MSTest_starts_its_children_through_the_worker_host(string project)
    {
        string output = CommandLine.Run(Path.Combine(_work, project), "dotnet", "test", "-nologo");
        Assert.That(output, Does.Match(@"Passed:\s+1\b"));
    }

    [Test]
    public void A_benchmark_of_BenchmarkDotNet_starts_its_children()
    {
        string output = CommandLine.Run(Path.Combine(_work, "BenchmarkProject"), "dotnet", "run", "-c", "Release");
        Assert.That(output, Does.Contain("another process").And.Not.Contain("the same process"));
    }

    private string Publish(string name, params string[] options)
    {
        string output = Path.Combine(_work, name);
        CommandLine.Run(Application, "dotnet", ["publish", "--no-restore", "-c", "Release", "-o", output, "-v", "quiet", "-nologo", $"-p:IntermediateOutputPath=obj/{name}/", .. options]);
        return output;
    }

    private static void Check(string output, string method = "forkserver")
    {
        string[] lines = output.Split('\n', 2);
        Assert.That(lines[0], Does.Match(@"^main in \d+$"));
        Assert.That(lines[1], Is.EqualTo(Expected(method)), "a child that reached Main would have written there");
    }

    private void Instantiate(string template, string target)
    {
        Directory.CreateDirectory(target);
        foreach (string file in Directory.GetFiles(template))
        {
            string name = Path.GetFileName(file);
            if (!name.EndsWith(".in", StringComparison.Ordinal))
            {
                File.Copy(file, Path.Combine(target, name));
                continue;
            }
            string text = File.ReadAllText(file).Replace("@FEED@", Path.Combine(_work, "feed")).Replace("@VERSION@", _version)
                .Replace("@TESTSDK@", Central("Microsoft.NET.Test.Sdk")).Replace("@NUNIT@", Central("NUnit")).Replace("@ADAPTER@", Central("NUnit3TestAdapter"))
                .Replace("@XUNIT@", Central("xunit")).Replace("@XUNITRUNNER@", Central("xunit.runner.visualstudio"))
                .Replace("@MSTEST@", Central("MSTest.TestFramework")).Replace("@BENCHMARK@", Central("BenchmarkDotNet"));
            File.WriteAllText(Path.Combine(target, name[..^3]), text);
        }
    }

    private string Central(string package) =>
        Regex.Match(File.ReadAllText(Path.Combine(_repository, "Directory.Packages.props")), $"Include=\"{Regex.Escape(package)}\" Version=\"([^\"]+)\"").Groups[1].Value;
}
