using System.Xml;

namespace DocStats;

/// <summary>What was found in one namespace.</summary>
public sealed record NamespaceCount(long Members, long Words);

/// <summary>The counts of some files; made in a child, it travels back as the result.</summary>
public sealed class Counts
{
    public Dictionary<string, NamespaceCount> Namespaces { get; set; } = [];

    public long Members => Namespaces.Values.Sum(count => count.Members);

    public long Words => Namespaces.Values.Sum(count => count.Words);

    public static Counts Of(string[] paths)
    {
        var counts = new Counts();
        foreach (string path in paths)
        {
            if (path.EndsWith(".xml", StringComparison.OrdinalIgnoreCase))
                counts.AddDocumentation(path);
            else
                counts.Add("(text)", new NamespaceCount(0, File.ReadLines(path).Sum(line => (long)WordsIn(line))));
        }
        return counts;
    }

    public void Add(Counts other)
    {
        foreach ((string name, NamespaceCount count) in other.Namespaces)
            Add(name, count);
    }

    public bool SameAs(Counts other) =>
        Namespaces.Count == other.Namespaces.Count && Namespaces.All(pair => other.Namespaces.TryGetValue(pair.Key, out NamespaceCount? count) && count == pair.Value);

    private void Add(string name, NamespaceCount count)
    {
        NamespaceCount before = Namespaces.GetValueOrDefault(name) ?? new NamespaceCount(0, 0);
        Namespaces[name] = new NamespaceCount(before.Members + count.Members, before.Words + count.Words);
    }

    private void AddDocumentation(string path)
    {
        using var reader = XmlReader.Create(path, new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit });
        string current = "(none)";
        while (reader.Read())
        {
            if (reader.NodeType == XmlNodeType.Element && reader.Name == "member")
                Add(current = NamespaceOf(reader.GetAttribute("name") ?? ""), new NamespaceCount(1, 0));
            else if (reader.NodeType == XmlNodeType.Text)
                Add(current, new NamespaceCount(0, WordsIn(reader.Value)));
        }
    }

    // "M:System.IO.File.Delete(System.String)" is in System.IO; "T:System.IO.File" too.
    private static string NamespaceOf(string member)
    {
        int end = member.IndexOf('(');
        ReadOnlySpan<char> name = end < 0 ? member : member.AsSpan(0, end);
        for (int levels = member.StartsWith("T:", StringComparison.Ordinal) ? 1 : 2; levels > 0 && name.LastIndexOf('.') is var dot and > 0; levels--)
            name = name[..dot];
        return name.Length > 2 ? name[2..].ToString() : "(none)";
    }

    private static int WordsIn(ReadOnlySpan<char> text)
    {
        int words = 0;
        bool inside = false;
        foreach (char c in text)
        {
            bool letter = char.IsLetterOrDigit(c);
            words += letter && !inside ? 1 : 0;
            inside = letter;
        }
        return words;
    }
}
