using System.Globalization;
using Mono.Unix;

namespace StartMethods.Spawning;

/// <summary>Turns the names of users and groups into numbers, before anything is started.</summary>
internal readonly record struct Credentials(uint? User, uint? Group, uint[]? Groups)
{
    // getpwnam and its like share static buffers in the C library.
    private static readonly Lock Database = new();

    internal static Credentials Resolve(SpawnInfo info)
    {
        if (info.User is null && info.Group is null && info.Groups is null)
            return default;
        lock (Database)
        {
            UnixUserInfo? known = null;
            uint? user = info.User is null ? null : FindUser(info.User, out known);
            uint? group = info.Group is not null ? FindGroup(info.Group) : known is not null ? (uint)known.GroupId : null;
            if (user is not null && group is null)
                throw new SpawnException("setgid", info.User, $"setgid: user {info.User} is in no user database, so its group is not known: set {nameof(SpawnInfo)}.{nameof(SpawnInfo.Group)} too.");
            // Never keep the caller's supplementary groups with another user's id: root's would come along.
            uint[]? groups = info.Groups is not null ? [.. info.Groups.Select(FindGroup).Distinct()]
                : known is not null ? MembershipsOf(known.UserName, group!.Value)
                : group is not null ? [] : null;
            return new Credentials(user, group, groups);
        }
    }

    private static uint? FindUser(string name, out UnixUserInfo? known)
    {
        known = null;
        bool isNumber = uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out uint number);
        try
        {
            known = isNumber ? new UnixUserInfo((long)number) : new UnixUserInfo(name);
            return (uint)known.UserId;
        }
        catch (ArgumentException) when (isNumber)
        {
            return number; // a number needs no name
        }
        catch (ArgumentException e)
        {
            throw new SpawnException("setuid", name, $"setuid {name}: there is no user of this name", e);
        }
    }

    private static uint FindGroup(string name)
    {
        if (uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out uint number))
            return number;
        try
        {
            return (uint)new UnixGroupInfo(name).GroupId;
        }
        catch (ArgumentException e)
        {
            throw new SpawnException("setgid", name, $"setgid {name}: there is no group of this name", e);
        }
    }

    private static uint[] MembershipsOf(string user, uint primary) =>
        [.. UnixGroupInfo.GetLocalGroups().Where(g => g.GetMemberNames().Contains(user)).Select(g => (uint)g.GroupId).Append(primary).Distinct()];
}
