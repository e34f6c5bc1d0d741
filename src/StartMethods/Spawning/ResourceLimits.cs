using System.Collections;

namespace StartMethods;

/// <summary>A soft and a hard limit. A single number is both. <see cref="Unlimited"/> is no limit.</summary>
/// <param name="Soft">The limit that is enforced.</param>
/// <param name="Hard">How far the program may raise the soft limit itself; null: as it is.</param>
public readonly record struct ResourceLimitValue(ulong Soft, ulong? Hard)
{
    /// <summary>No limit: RLIM_INFINITY.</summary>
    public const ulong Unlimited = ulong.MaxValue;

    /// <summary>The same number as soft and as hard limit.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public static implicit operator ResourceLimitValue(long both)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(both);
        return new((ulong)both, (ulong)both);
    }

    /// <summary>A soft and a hard limit.</summary>
    public static implicit operator ResourceLimitValue((ulong Soft, ulong Hard) pair) => new(pair.Soft, pair.Hard);
}

/// <summary>Resource limits of a program: <c>Limits = { [ResourceLimit.OpenFiles] = 64 }</c>.</summary>
public sealed class ResourceLimits : IEnumerable<KeyValuePair<ResourceLimit, ResourceLimitValue>>
{
    private readonly SortedDictionary<ResourceLimit, ResourceLimitValue> _values = [];

    /// <summary>How many limits are set.</summary>
    public int Count => _values.Count;

    /// <summary>The limit of a resource.</summary>
    /// <exception cref="KeyNotFoundException">Read, but not set.</exception>
    /// <exception cref="ArgumentException">A soft limit above the hard one.</exception>
    public ResourceLimitValue this[ResourceLimit resource]
    {
        get => _values[resource];
        set
        {
            if (value.Hard is { } hard && value.Soft > hard)
                throw new ArgumentException($"The soft limit {value.Soft} of {resource} is above its hard limit {hard}.", nameof(value));
            _values[resource] = value;
        }
    }

    /// <summary>Sets a limit.</summary>
    public void Add(ResourceLimit resource, ResourceLimitValue value) => this[resource] = value;

    /// <summary>Takes a limit out again.</summary>
    public bool Remove(ResourceLimit resource) => _values.Remove(resource);

    /// <summary>The limits that are set.</summary>
    public IEnumerator<KeyValuePair<ResourceLimit, ResourceLimitValue>> GetEnumerator() => _values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
