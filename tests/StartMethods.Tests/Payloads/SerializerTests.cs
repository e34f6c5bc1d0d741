using System.Buffers;
using System.Text.Json;
using StartMethods.Payloads;

namespace StartMethods.Tests;

[Parallelizable(ParallelScope.All)]
public class SerializerTests
{
    public sealed class Order
    {
        public int Id { get; set; }

        public string? Note { get; set; }
    }

    public struct Amount
    {
        public int Cents { get; set; }
    }

    public sealed class Json : IPayloadSerializer
    {
        public bool CanSerialize(Type type) => type == typeof(Order) || type == typeof(Amount);

        public void Serialize(object value, Type type, IBufferWriter<byte> output)
        {
            using var writer = new Utf8JsonWriter(output);
            JsonSerializer.Serialize(writer, value, type);
        }

        public object Deserialize(ReadOnlyMemory<byte> input, Type type) => JsonSerializer.Deserialize(input.Span, type)!;
    }

    public sealed class Greedy : IPayloadSerializer
    {
        public bool CanSerialize(Type type) => true;

        public void Serialize(object value, Type type, IBufferWriter<byte> output) => output.Write(JsonSerializer.SerializeToUtf8Bytes(value, type));

        public object Deserialize(ReadOnlyMemory<byte> input, Type type) => JsonSerializer.Deserialize(input.Span, type)!;
    }

    [Test]
    public void A_serializer_that_takes_anything_does_not_get_the_code()
    {
        var order = new Order { Id = 3 };
        Func<int> inner = () => order.Id;
        Assert.That(Carry.Job((Func<int[], int>)(numbers => inner() + order.Id + numbers[0]), new[] { 4 }, true, new Greedy()).InvokeAsync(default).Result, Is.EqualTo(10));
    }

    [Test]
    public void Arguments_captured_variables_and_results_go_through_the_serializer()
    {
        var order = new Order { Id = 7, Note = "from json" };
        using EncodedPayload payload = JobCodec.Encode((Func<Amount, Order>)(amount => new Order { Id = order.Id + amount.Cents, Note = order.Note }), new Amount { Cents = 5 }, true, new Json());
        Assert.That(System.Text.Encoding.UTF8.GetString(payload.Bytes.Span), Does.Contain("{\"Id\":7,\"Note\":\"from json\"}").And.Contain("{\"Cents\":5}"));
        Job job = JobCodec.Decode(Carry.Across(payload));
        Assert.That(job.Serializer, Is.TypeOf<Json>());
        using EncodedPayload result = ResultCodec.Encode(job.InvokeAsync(default).Result, job.ResultType, job.Serializer);
        Assert.That(System.Text.Encoding.UTF8.GetString(result.Bytes.Span), Does.Contain("\"Id\":12"));
        byte[] bytes = result.Bytes.ToArray();
        Assert.That(((Order)ResultCodec.Decode(Carry.Across(result), typeof(Order), new Json())!).Id, Is.EqualTo(12));
        Assert.That(() => ResultCodec.Decode(new ReceivedPayload(bytes), typeof(Order)), Throws.TypeOf<PayloadException>().With.Message.Contains("serializer"));
    }
}
