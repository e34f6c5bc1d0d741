using System.Text.RegularExpressions;
using StartMethods.Interop;

namespace StartMethods.Tests.Layout;

/// <summary>The layers as docs/architecture.md draws them, top first; what is checked is that drawing.</summary>
public partial class LayerTests
{
    private const string Root = "(root)";
    private static readonly AssemblyReader Reader = new(typeof(Native).Assembly);

    [Test]
    public void No_layer_uses_one_that_stands_above_it()
    {
        var heights = Heights();
        var folders = Folders();
        string[] wrong = [.. from type in Reader.Types
                             let user = AssemblyReader.OutermostOf(type)
                             where folders.ContainsKey(user)
                             from used in Reader.TypesUsedBy(type)
                             where folders.ContainsKey(used) && heights[folders[used]] > heights[folders[user]]
                             let arrow = $"{folders[user]}/{user.Name} uses {folders[used]}/{used.Name}"
                             group arrow by arrow into arrows
                             orderby arrows.Key
                             select arrows.Key];
        Assert.That(wrong, Is.Empty, "an arrow may only point down (docs/architecture.md, Layers)");
    }

    [Test]
    public void The_engines_do_not_know_each_other()
    {
        var folders = Folders();
        string[] engines = ["Forking", "Spawning"];
        string[] wrong = [.. from type in Reader.Types
                             let user = AssemblyReader.OutermostOf(type)
                             where folders.TryGetValue(user, out string? folder) && engines.Contains(folder)
                             from used in Reader.TypesUsedBy(type)
                             where folders.TryGetValue(used, out string? other) && engines.Contains(other) && other != folders[user]
                             select $"{user.Name} ({folders[user]}) uses {used.Name} ({folders[used]})"];
        Assert.That(wrong.Distinct(), Is.Empty);
    }

    [Test]
    public void Every_folder_of_the_library_has_its_place_among_the_layers() =>
        Assert.That(Folders().Values.Distinct().Except(Heights().Keys), Is.Empty, "add the folder to the layers of docs/architecture.md");

    [Test]
    public void Public_types_are_in_the_one_namespace_and_internal_ones_in_the_namespace_of_their_folder()
    {
        string[] wrong = [.. from pair in Folders()
                             let type = pair.Key
                             where type.FullName != "StartupHook" // its name and the absence of a namespace are the runtime's
                             let expected = type.IsPublic || pair.Value == Root ? "StartMethods" : $"StartMethods.{pair.Value}"
                             where type.Namespace != expected
                             select $"{type.FullName} in {pair.Value} should be in {expected}"];
        Assert.That(wrong, Is.Empty);
    }

    [Test]
    public void Native_functions_are_imported_in_Interop_only()
    {
        string[] wrong = [.. from file in Repository.FilesBelow("src/", ".cs")
                             where !file.StartsWith("src/StartMethods/Interop/", StringComparison.Ordinal)
                             where File.ReadLines(Repository.PathOf(file)).Any(line => line.TrimStart() is ['[', ..] code && code.Contains("Import(", StringComparison.Ordinal))
                             select file];
        Assert.That(wrong, Is.Empty, "[LibraryImport] and [DllImport] belong into src/StartMethods/Interop");
    }

    // "Pools/   WorkerPool …": every line of the first drawing is a layer, every word with a slash a folder of it.
    private static Dictionary<string, int> Heights()
    {
        string drawing = File.ReadAllText(Repository.PathOf("docs", "architecture.md")).Split("```")[1];
        string[] layers = [.. drawing.Split('\n', StringSplitOptions.RemoveEmptyEntries).Reverse()];
        return layers.SelectMany((line, height) => FolderName().Matches(line).Select(match => (match.Value.TrimEnd('/'), height))).ToDictionary();
    }

    private static Dictionary<Type, string> Folders()
    {
        var folders = new Dictionary<Type, string>();
        foreach ((Type type, string[] documents) in Reader.ReadDocuments())
        {
            string[] own = [.. documents.Select(document => FolderOf(document)).OfType<string>().Distinct()];
            if (own.Length == 1)
                folders.Add(type, own[0]);
            else if (own.Length > 1)
                Assert.Fail($"{type.Name} is split over the folders {string.Join(", ", own)}: one type, one layer");
        }
        Assert.That(folders, Is.Not.Empty, "the PDB named no source of src/StartMethods");
        return folders;
    }

    // Files that a source generator wrote have no folder; the type they complete has.
    private static string? FolderOf(string document)
    {
        const string Library = "/src/StartMethods/";
        int begin = document.IndexOf(Library, StringComparison.Ordinal);
        if (begin < 0 || document.Contains(".g.cs", StringComparison.Ordinal))
            return null;
        string[] parts = document[(begin + Library.Length)..].Split('/');
        return parts.Length == 1 ? Root : parts[0] == "obj" ? null : parts[0];
    }

    [GeneratedRegex(@"\(root\)|\b\w+/(?=\s|$)")]
    private static partial Regex FolderName();
}
