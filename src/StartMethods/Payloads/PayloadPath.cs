using System.Reflection;
using System.Text;

namespace StartMethods.Payloads;

/// <summary>
/// The way from a body to the value at hand: <c>lambda at Orders.cs:41 → captured 'pool' → WorkerPool._socket</c>. Only kept when a first
/// attempt has failed. Levels that failed are not left, so what stands here after an exception is the way to the culprit.
/// </summary>
internal sealed class PayloadPath
{
    private readonly Stack<string> _segments = new();
    private readonly Dictionary<object, string[]> _remembered = new(ReferenceEqualityComparer.Instance);

    internal void EnterRoot(string name) => _segments.Push(name);

    internal void EnterFunction(Function function) => _segments.Push(SourceLines.Describe(function.Method));

    internal void EnterIndex(int index) => _segments.Push($"[{index}]");

    internal void EnterKey(object key) => _segments.Push(key is string or char ? $"[\"{key}\"]" : key.GetType().IsPrimitive || key.GetType().IsEnum ? $"[{key}]" : "[…]");

    internal void Enter(Type owner, FieldInfo field) => _segments.Push(ClosureContent.IsClosure(owner) ? Captured(field.Name) : $"{TypeText.Simple(owner)}.{Member(field.Name)}");

    internal void Leave() => _segments.Pop();

    // The compiler's links between closures are no step that a person would know of.
    private static string Captured(string name) => name.StartsWith("CS$<>8__locals", StringComparison.Ordinal) || name.StartsWith("$VB$NonLocal", StringComparison.Ordinal) ? ""
        : $"captured '{(name == "<>4__this" ? "this" : Member(name))}'";

    // <Name>k__BackingField, <Name>P, <name>5__2: the name in the source.
    private static string Member(string name) => name.StartsWith('<') && name.IndexOf('>') is > 1 and var end ? name[1..end] : name;

    /// <summary>The content of this object comes later; its way is this one.</summary>
    internal void Remember(object value) => _remembered[value] = Shorten([.. _segments.Reverse()]);

    // The way to the end of a long chain is as long as the chain.
    private static string[] Shorten(string[] segments) => segments.Length <= 24 ? segments : [.. segments[..8], "…", .. segments[^12..]];

    internal void Restart(object value)
    {
        _segments.Clear();
        foreach (string segment in _remembered.GetValueOrDefault(value) ?? [])
            _segments.Push(segment);
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (string segment in Shorten([.. _segments.Reverse()]))
        {
            if (text.Length > 0 && segment.Length > 0 && segment[0] != '[')
                text.Append(" → ");
            text.Append(segment);
        }
        return text.ToString();
    }
}
