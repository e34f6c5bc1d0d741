using System.Diagnostics;
using System.Text;
using System.Text.Json;
using StartMethods.Payloads;

namespace StartMethods.Tests;

/// <summary>The wire format against an implementation that is not ours: Debian's python3-msgpack.</summary>
public class MessagePackTests
{
    // Walks a payload with Python's Unpacker and prints what it saw, extensions as type and body.
    private const string Walker = """
        import json, sys, msgpack, math
        def plain(x):
            if isinstance(x, msgpack.ExtType): return {"ext": x.code, "body": x.data.hex()}
            if isinstance(x, bytes): return {"bin": x.hex()}
            if isinstance(x, float): return {"float": "nan" if math.isnan(x) else repr(x)}
            if isinstance(x, list): return [plain(v) for v in x]
            if isinstance(x, dict): return {"map": [[plain(k), plain(v)] for k, v in x.items()]}
            return x
        for line in sys.stdin:
            unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
            data = bytes.fromhex(line.strip())
            unpacker.feed(data)
            values = [plain(v) for v in unpacker]
            print(json.dumps({"values": values, "consumed": unpacker.tell() == len(data)}))
        """;

    private const string Packer = """
        import msgpack
        values = [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63, 2**64 - 1, -1, -32, -33, -128, -129, -32768, -32769, -2**31, -2**31 - 1, -2**63]
        for v in values: print("int", v, msgpack.packb(v).hex())
        for v in [1.5, -0.0, float("inf"), 1e300]: print("double", repr(v), msgpack.packb(v).hex())
        for n in [0, 1, 31, 32, 255, 256, 65535, 65536]: print("str", n, msgpack.packb("x" * n).hex())
        for n in [0, 1, 255, 256, 65535, 65536]: print("bin", n, msgpack.packb(b"y" * n, use_bin_type=True).hex())
        for n in [0, 15, 16, 65535, 65536]: print("array", n, msgpack.packb([0] * n).hex())
        for n in [0, 15, 16, 65536]: print("map", n, msgpack.packb({i: None for i in range(n)}).hex())
        for n in [1, 2, 3, 4, 5, 8, 16, 17, 255, 256, 65536]: print("ext", n, msgpack.packb(msgpack.ExtType(5, b"z" * n)).hex())
        """;

    private static string[] Python(string program, string input)
    {
        // Debian's own interpreter first: another one on the path does not see Debian's packages.
        string python = File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(python, ["-c", program]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
            process.StandardInput.Write(input);
            process.StandardInput.Close();
            Assert.That(process.WaitForExit(15_000), "python3 did not end");
            if (error.Result.Contains("No module named 'msgpack'", StringComparison.Ordinal))
                Assert.Ignore("python3-msgpack is not installed");
            Assert.That(process.ExitCode, Is.Zero, error.Result);
            return output.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Ignore("python3 is not installed");
            throw;
        }
    }

    [Test, CancelAfter(20_000)]
    public void Python_reads_our_payloads_to_the_end()
    {
        int x = 5;
        string text = "héllo";
        var graph = new FuzzTests.Everything();
        graph.Self = graph;
        object any = new Version(1, 2);
        using EncodedPayload job = JobCodec.Encode(() => $"{x}{text}{graph}{any}");
        using EncodedPayload result = ResultCodec.Encode(new Dictionary<string, double[]?> { ["a"] = [1.5], ["b"] = null }, typeof(Dictionary<string, double[]>));
        using EncodedPayload failure = FailureCodec.Encode(new AggregateException(new FormatException("m")));
        using EncodedPayload plain = ResultCodec.Encode((1, -2L, 2.5, "x", true, (string?)null, float.NaN), typeof((int, long, double, string, bool, string, float)));
        using EncodedPayload odd = ResultCodec.Encode("lone \uD800", typeof(string));
        EncodedPayload[] payloads = [job, result, failure, plain, odd];
        string[] lines = Python(Walker, string.Concat(payloads.Select(payload => Convert.ToHexString(payload.Bytes.Span) + "\n")));
        JsonElement[] seen = [.. lines.Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.That(seen.Select(one => one.GetProperty("consumed").GetBoolean()), Is.All.True);
        Assert.That(seen[0].GetProperty("values")[0].GetInt32(), Is.EqualTo(WireFormat.Version));
        Assert.That(seen[0].GetRawText(), Does.Contain("h\\u00e9llo"));
        Assert.That(seen[1].GetProperty("values")[1].GetRawText(), Does.Contain("\"a\"").And.Contain(Convert.ToHexString(BitConverter.GetBytes(1.5)).ToLowerInvariant()));
        Assert.That(seen[2].GetProperty("values")[1][0].GetString(), Is.EqualTo("System.AggregateException"));
        Assert.That(seen[3].GetProperty("values")[1].GetRawText().Replace(" ", ""), Is.EqualTo("[1,-2,{\"float\":\"2.5\"},\"x\",true,null,{\"float\":\"nan\"}]"));
        Assert.That(seen[4].GetProperty("values")[1].GetProperty("ext").GetInt32(), Is.EqualTo(WireFormat.Utf16));
        Assert.That(seen[4].GetProperty("values")[1].GetProperty("body").GetString(), Is.EqualTo(Convert.ToHexString(Encoding.Unicode.GetBytes("lone ")).ToLowerInvariant() + "00d8"));
    }

    [Test, CancelAfter(20_000)]
    public void We_read_what_Python_writes_and_write_integers_alike()
    {
        string[] lines = Python(Packer, "");
        Assert.That(lines, Has.Length.EqualTo(21 + 4 + 8 + 6 + 5 + 4 + 11));
        foreach (string line in lines)
        {
            string[] parts = line.Split(' ');
            byte[] bytes = Convert.FromHexString(parts[2]);
            var reader = new MessagePackReader(bytes);
            var writer = new MessagePackWriter();
            switch (parts[0])
            {
                case "int" when parts[1].StartsWith('-'):
                    Assert.That(reader.ReadInt64(), Is.EqualTo(long.Parse(parts[1])));
                    writer.WriteInt64(long.Parse(parts[1]));
                    Assert.That(writer.Written.ToArray(), Is.EqualTo(bytes));
                    break;
                case "int":
                    Assert.That(reader.ReadUInt64(), Is.EqualTo(ulong.Parse(parts[1])));
                    writer.WriteUInt64(ulong.Parse(parts[1]));
                    Assert.That(writer.Written.ToArray(), Is.EqualTo(bytes));
                    break;
                case "double": Assert.That(reader.ReadDouble(), Is.EqualTo(double.Parse(parts[1].Replace("inf", "Infinity"), System.Globalization.CultureInfo.InvariantCulture))); break;
                case "str": Assert.That(reader.ReadString(), Is.EqualTo(new string('x', int.Parse(parts[1])))); break;
                case "bin": Assert.That(reader.ReadBinary().Length, Is.EqualTo(int.Parse(parts[1]))); break;
                case "array": Assert.That(reader.ReadArrayHeader(), Is.EqualTo(int.Parse(parts[1]))); continue;
                case "map": Assert.That(reader.ReadMapHeader(), Is.EqualTo(int.Parse(parts[1]))); continue;
                case "ext": Assert.That(reader.ReadExtension(5).Length, Is.EqualTo(int.Parse(parts[1]))); break;
            }
            Assert.That(reader.Remaining, Is.Zero, line);
        }
    }
}
