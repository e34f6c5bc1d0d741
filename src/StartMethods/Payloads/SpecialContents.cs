using System.Collections;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace StartMethods.Payloads;

/// <summary>A class of the framework by two functions. It is created whole; its actual type is the framework's own affair.</summary>
internal sealed class SpecialContent<T>(Action<GraphWriter, T> write, Func<GraphReader, T> read, bool isTracked = true) : Content(typeof(T)) where T : class
{
    internal override bool IsTracked => isTracked;

    internal override bool ExistsEarly => false;

    internal override Type WireType(Type declared) => typeof(T);

    internal override void Write(GraphWriter writer, object value, int id) => write(writer, (T)value);

    internal override object Read(GraphReader reader, int id) => read(reader);
}

/// <summary>Classes of the framework that are values, by name, so that the assemblies of those that do not travel are never loaded.</summary>
internal static class SpecialContents
{
    internal static Content? Create(Type type)
    {
        for (Type? level = type; level is not null && level != typeof(object); level = level.BaseType)
        {
            if (!FrameworkTypes.Contains(level))
                continue; // a class derived from one of these has content of its own
            if (ByName(level.FullName) is { } content)
                return level == type || FrameworkTypes.Contains(type) ? content : null;
        }
        return null;
    }

    private static Content? ByName(string? name) => name switch
    {
        "System.Uri" => Uris(),
        "System.Version" => Versions(),
        "System.Text.StringBuilder" => StringBuilders(),
        "System.Globalization.CultureInfo" => Cultures(),
        "System.Text.Encoding" => Encodings(),
        "System.StringComparer" => Comparers(),
        "System.Collections.BitArray" => BitArrays(),
        "System.Text.RegularExpressions.Regex" => Regexes(),
        "System.Net.IPAddress" => Addresses(),
        "System.Net.IPEndPoint" => EndPoints(),
        "System.Net.DnsEndPoint" => DnsEndPoints(),
        "System.DBNull" => Nulls(),
        "System.Threading.Lock" => Locks(),
        "System.Collections.Generic.ReferenceEqualityComparer" => ReferenceComparers(),
        "System.TimeZoneInfo" => TimeZones(),
        "System.IO.MemoryStream" => MemoryStreams(),
        _ => null,
    };

    // One method each: the code of a method that names a class loads it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<Uri> Uris() => new(static (w, v) => WriteUri(w, v), static r => ReadUri(r), isTracked: false);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<Version> Versions() => new(static (w, v) => w.WriteString(v.ToString()), static r => Version.Parse(r.ReadText()), isTracked: false);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<StringBuilder> StringBuilders() => new(static (w, v) => w.WriteString(v.ToString()), static r => new StringBuilder(r.ReadText()));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<CultureInfo> Cultures() => new(WriteCulture, ReadCulture);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<Encoding> Encodings() => new(WriteEncoding, ReadEncoding);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<StringComparer> Comparers() => new(WriteComparer, ReadComparer, isTracked: false);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<DBNull> Nulls() => new(static (w, _) => w.WriteBoolean(true), static r => Present(r, DBNull.Value), isTracked: false);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<Lock> Locks() => new(static (w, _) => w.WriteBoolean(true), static r => Present(r, new Lock()));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<ReferenceEqualityComparer> ReferenceComparers() => new(static (w, _) => w.WriteBoolean(true), static r => Present(r, ReferenceEqualityComparer.Instance), isTracked: false);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<TimeZoneInfo> TimeZones() => new(static (w, v) => w.WriteString(v.ToSerializedString()), static r => TimeZoneInfo.FromSerializedString(r.ReadText()));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<MemoryStream> MemoryStreams() => new(WriteMemoryStream, ReadMemoryStream);

    // Nil would mean null.
    private static T Present<T>(GraphReader reader, T value) => reader.ReadBoolean() ? value : throw MessagePackReader.Malformed("an object is missing");

    private static void WriteUri(GraphWriter writer, Uri value)
    {
        writer.WriteArrayHeader(2);
        writer.WriteString(value.OriginalString);
        writer.WriteBoolean(value.IsAbsoluteUri);
    }

    private static Uri ReadUri(GraphReader reader)
    {
        reader.ReadArrayHeader(2);
        string text = reader.ReadText();
        return new Uri(text, reader.ReadBoolean() ? UriKind.Absolute : UriKind.Relative);
    }

    private static void WriteCulture(GraphWriter writer, CultureInfo value)
    {
        writer.WriteArrayHeader(2);
        writer.WriteString(value.Name);
        writer.WriteBoolean(value.UseUserOverride);
    }

    private static CultureInfo ReadCulture(GraphReader reader)
    {
        reader.ReadArrayHeader(2);
        return new CultureInfo(reader.ReadText(), reader.ReadBoolean());
    }

    // By code page and byte order mark; what a caller's own fallbacks would do is code.
    private static void WriteEncoding(GraphWriter writer, Encoding value)
    {
        writer.WriteArrayHeader(3);
        writer.WriteInt32(value.CodePage);
        writer.WriteBoolean(value.Preamble.Length > 0);
        writer.WriteBoolean(value.DecoderFallback is DecoderExceptionFallback);
    }

    private static Encoding ReadEncoding(GraphReader reader)
    {
        reader.ReadArrayHeader(3);
        int codePage = reader.ReadInt32(0, ushort.MaxValue);
        bool hasMark = reader.ReadBoolean(), throws = reader.ReadBoolean();
        return codePage switch
        {
            65001 => new UTF8Encoding(hasMark, throws),
            1200 or 1201 => new UnicodeEncoding(codePage == 1201, hasMark, throws),
            12000 or 12001 => new UTF32Encoding(codePage == 12001, hasMark, throws),
            _ when throws => Encoding.GetEncoding(codePage, EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback),
            _ => Encoding.GetEncoding(codePage),
        };
    }

    private static void WriteComparer(GraphWriter writer, StringComparer value)
    {
        if (StringComparer.IsWellKnownOrdinalComparer(value, out bool ignoreCase))
        {
            writer.WriteExtension(WireFormat.WellKnown, ignoreCase ? 1 : 0);
            return;
        }
        if (!StringComparer.IsWellKnownCultureAwareComparer(value, out CompareInfo? culture, out CompareOptions options))
            throw Refusals.Refuse(value.GetType(), "Use one of the comparers of StringComparer.");
        writer.WriteArrayHeader(2);
        writer.WriteString(culture.Name);
        writer.WriteInt32((int)options);
    }

    private static StringComparer ReadComparer(GraphReader reader)
    {
        if (reader.IsExtension(WireFormat.WellKnown))
            return reader.ReadExtensionNumber(WireFormat.WellKnown) == 0 ? StringComparer.Ordinal : StringComparer.OrdinalIgnoreCase;
        reader.ReadArrayHeader(2);
        return StringComparer.Create(CultureInfo.GetCultureInfo(reader.ReadText()), (CompareOptions)reader.ReadInt32());
    }

    private static void WriteMemoryStream(GraphWriter writer, MemoryStream value)
    {
        writer.WriteArrayHeader(3);
        writer.WriteInt64(value.Position);
        writer.WriteBoolean(value.CanWrite);
        byte[] bytes = value.ToArray();
        if (!writer.TryWriteOutOfBand((ReadOnlyMemory<byte>)bytes))
            writer.WriteBinary(bytes);
    }

    private static MemoryStream ReadMemoryStream(GraphReader reader)
    {
        reader.ReadArrayHeader(3);
        long position = reader.ReadInt64();
        bool canWrite = reader.ReadBoolean();
        byte[] bytes = reader.IsExtension(WireFormat.OutOfBand) ? reader.TakeBuffer().ToArray() : reader.ReadBinary().ToArray();
        var stream = new MemoryStream();
        stream.Write(bytes);
        if (!canWrite)
            stream = new MemoryStream(bytes, writable: false);
        stream.Position = position >= 0 && position <= int.MaxValue ? position : throw MessagePackReader.Malformed("a stream's position is out of range");
        return stream;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<BitArray> BitArrays() => new(static (w, v) =>
    {
        var bytes = new byte[(v.Length + 7) / 8];
        v.CopyTo(bytes, 0);
        w.WriteArrayHeader(2);
        w.WriteInt32(v.Length);
        w.WriteBinary(bytes);
    }, static r =>
    {
        r.ReadArrayHeader(2);
        int length = r.ReadInt32(0, int.MaxValue - 7);
        return new BitArray(r.ReadBinary((length + 7) / 8).ToArray()) { Length = length };
    });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<System.Text.RegularExpressions.Regex> Regexes() => new(static (w, v) =>
    {
        w.WriteArrayHeader(3);
        w.WriteString(v.ToString());
        w.WriteInt32((int)v.Options);
        w.WriteInt64(v.MatchTimeout.Ticks);
    }, static r =>
    {
        r.ReadArrayHeader(3);
        return new System.Text.RegularExpressions.Regex(r.ReadText(), (System.Text.RegularExpressions.RegexOptions)r.ReadInt32(), new TimeSpan(r.ReadInt64()));
    });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<System.Net.IPAddress> Addresses() => new(static (w, v) =>
    {
        w.WriteArrayHeader(2);
        w.WriteBinary(v.GetAddressBytes());
        w.WriteInt64(v.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? v.ScopeId : 0);
    }, static r =>
    {
        r.ReadArrayHeader(2);
        byte[] bytes = r.ReadBinary().ToArray();
        long scope = r.ReadInt64();
        return bytes.Length == 16 ? new System.Net.IPAddress(bytes, scope) : new System.Net.IPAddress(bytes);
    }, isTracked: false);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<System.Net.IPEndPoint> EndPoints() => new(static (w, v) =>
    {
        w.WriteArrayHeader(2);
        Contents.For(typeof(System.Net.IPAddress)).Write(w, v.Address, -1);
        w.WriteInt32(v.Port);
    }, static r =>
    {
        r.ReadArrayHeader(2);
        return new System.Net.IPEndPoint((System.Net.IPAddress)Contents.For(typeof(System.Net.IPAddress)).Read(r, -1), r.ReadInt32());
    });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SpecialContent<System.Net.DnsEndPoint> DnsEndPoints() => new(static (w, v) =>
    {
        w.WriteArrayHeader(3);
        w.WriteString(v.Host);
        w.WriteInt32(v.Port);
        w.WriteInt32((int)v.AddressFamily);
    }, static r =>
    {
        r.ReadArrayHeader(3);
        return new System.Net.DnsEndPoint(r.ReadText(), r.ReadInt32(), (System.Net.Sockets.AddressFamily)r.ReadInt32());
    });
}

/// <summary>A type as a value.</summary>
internal sealed class TypeContent(Type type) : Content(type)
{
    internal override bool IsTracked => false;

    internal override bool ExistsEarly => false;

    internal override Type WireType(Type declared) => typeof(Type);

    internal override void Write(GraphWriter writer, object value, int id)
    {
        if (writer.IsResult)
            throw Refusals.Refuse(typeof(Type), "A child may not name types to its parent. Return the type's name.");
        writer.WriteType((Type)value);
    }

    internal override object Read(GraphReader reader, int id) => reader.ReadType();
}
