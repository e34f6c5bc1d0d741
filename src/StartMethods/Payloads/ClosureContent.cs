using System.Reflection;
using System.Runtime.CompilerServices;

namespace StartMethods.Payloads;

/// <summary>
/// The object in which the compiler keeps captured variables. One may serve several lambdas, so only the fields that the travelling body
/// uses are written; a bit mask says which. The others keep their default value.
/// </summary>
internal sealed class ClosureContent : Content
{
    private readonly FieldInfo[] _fields;
    private readonly ulong _all;
    private Selection? _selections;

    // A list of the few selections that there are, the newest first.
    private sealed class Selection(ulong mask, FieldsPlan plan, Selection? next)
    {
        internal readonly ulong Mask = mask;
        internal readonly FieldsPlan Plan = plan;
        internal readonly Selection? Next = next;
    }

    internal ClosureContent(Type type) : base(type)
    {
        _fields = FieldsPlan.FieldsOf(type);
        for (int i = 0; i < _fields.Length; i++)
            _all |= Bit(i);
    }

    internal static bool IsClosure(Type type) => !type.IsValueType && IsClosureName(type.Name);

    // C# and Visual Basic. No source can spell such a name.
    private static bool IsClosureName(string name) => name.StartsWith("<>c__DisplayClass", StringComparison.Ordinal) || name.StartsWith("_Closure$__", StringComparison.Ordinal);

    internal override bool IsDeferrable => true;

    // The last bit stands for all fields from the 64th on.
    private static ulong Bit(int index) => 1UL << Math.Min(index, 63);

    internal ulong MaskOf(ClosureUsage? usage) => usage is null ? _all : usage.MaskFor(this);

    /// <summary>The mask of the fields with these tokens.</summary>
    internal ulong MaskOf(HashSet<int> tokens)
    {
        ulong mask = 0;
        for (int i = 0; i < _fields.Length; i++)
            mask |= tokens.Contains(_fields[i].MetadataToken) ? Bit(i) : 0;
        return mask;
    }

    private FieldsPlan PlanFor(ulong mask)
    {
        Selection? first = Volatile.Read(ref _selections);
        for (Selection? known = first; known is not null; known = known.Next)
        {
            if (known.Mask == mask)
                return known.Plan;
        }
        FieldsPlan plan = CreatePlan(mask);
        Interlocked.CompareExchange(ref _selections, new Selection(mask, plan, first), first); // whoever loses makes it again next time
        return plan;
    }

    private FieldsPlan CreatePlan(ulong mask)
    {
        var selected = new List<FieldInfo>();
        for (int i = 0; i < _fields.Length; i++)
        {
            if ((mask & Bit(i)) != 0)
                selected.Add(_fields[i]);
        }
        return new FieldsPlan(Type, [.. selected]);
    }

    internal override void Write(GraphWriter writer, object value, int id) => WriteFields(writer, value, id, MaskOf(writer.Usage));

    internal void WriteFields(GraphWriter writer, object value, int id, ulong mask)
    {
        writer.AddMask(id, mask);
        FieldsPlan plan = PlanFor(mask);
        writer.WriteArrayHeader(1 + plan.Count);
        writer.WriteUInt64(mask);
        plan.Write(writer, value);
    }

    internal override object Allocate() => RuntimeHelpers.GetUninitializedObject(Type);

    internal override void Fill(GraphReader reader, object value)
    {
        int count = reader.ReadArrayHeader();
        ulong mask = reader.ReadUInt64();
        if ((mask & ~_all) != 0)
            throw MessagePackReader.Malformed("it sets captured variables that do not exist");
        FieldsPlan plan = PlanFor(mask);
        if (count != plan.Count + 1)
            throw MessagePackReader.Malformed($"a closure has {count - 1} variables instead of {plan.Count}");
        plan.Read(reader, value);
    }

    /// <summary>The closures around this one that these fields refer to.</summary>
    internal IEnumerable<object> OuterClosures(object closure, ulong mask)
    {
        for (int i = 0; i < _fields.Length; i++)
        {
            if ((mask & Bit(i)) != 0 && IsClosure(_fields[i].FieldType) && _fields[i].GetValue(closure) is { } outer)
                yield return outer;
        }
    }
}
