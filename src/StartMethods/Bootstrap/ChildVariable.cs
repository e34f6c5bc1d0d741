using System.Globalization;
using StartMethods.Channels;

namespace StartMethods.Bootstrap;

/// <summary>
/// <c>STARTMETHODS_CHILD</c>: how a fresh process learns that it is a child, and where its channel is. "1:s3:2": form 1, socket on descriptor 3,
/// depth 2. "1:p17,20:2": two pipes (read, write). The child removes it at once, so that programs that it starts do not see it.
/// </summary>
internal readonly record struct ChildVariable(string Channel, int Depth)
{
    internal const string Name = "STARTMETHODS_CHILD";

    /// <summary>The descriptor under which a child finds its socket.</summary>
    internal const int SocketNumber = 3;

    private const string Form = "1";

    internal static ChildVariable For(ChannelEnd end, int depth) => new(end.Socket is null ? "p" + end.PipeHandles : $"s{SocketNumber}", depth);

    /// <summary>Opens the channel that the variable names.</summary>
    internal Transport Open()
    {
        string numbers = Channel[1..];
        if (Channel[0] == 's')
            return ChannelEnd.OpenSocket(Number(numbers));
        int comma = numbers.IndexOf(',');
        return ChannelEnd.OpenPipes(numbers[..comma], numbers[(comma + 1)..]);
    }

    /// <summary>Reads the variable's value.</summary>
    /// <exception cref="StartMethodException">Another version of the library wrote it.</exception>
    internal static ChildVariable Parse(string text)
    {
        string[] parts = text.Split(':');
        int depth = parts.Length == 3 ? Number(parts[2]) : -1;
        if (depth < 0 || parts[0] != Form || parts[1].Length < 2 || parts[1][0] is not ('s' or 'p'))
            throw new StartMethodException($"{Name}={text} was not written by this version of StartMethods: build id mismatch, or it was set by hand");
        return new ChildVariable(parts[1], depth);
    }

    // Not int.Parse: that asks for a culture, and the first culture loads ICU, which would be a tenth of a young child's time.
    private static int Number(string digits)
    {
        int number = 0;
        foreach (char digit in digits)
        {
            if (digit is < '0' or > '9' || number > 100_000_000)
                return -1;
            number = number * 10 + (digit - '0');
        }
        return digits.Length == 0 ? -1 : number;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Form}:{Channel}:{Depth}");
}
